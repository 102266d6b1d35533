"""The network in ONNX Runtime: on every processor, in 8-bit integers or in full precision."""

from collections.abc import Sequence
from pathlib import Path

from .engine import OUTPUTS, PACKED_INPUT, Precision, RowLogits, split_rows
from .errors import ArtifactError
from .packing import most_texts, pack, run_in_passes, unpack
from .processor import cpu_quota
from .tokenizer import Row, collate

# isort: split
# Behind models.engine, which tells the runtime not to report its use to its maker.
import onnxruntime as ort

# Its attention over pairs is slower than OpenVINO's: measured, a pass of 256 loses to two of 128.
_PASS_TOKENS = 128


class OnnxEngine:
    """ONNX Runtime on the CPU. `run` may be called from any thread; it releases the GIL."""

    name = "onnxruntime"

    def __init__(
        self,
        file: Path,
        *,
        precision: Precision,
        pad_id: int,
        threads: int = 0,
        spare: int = 0,
    ) -> None:
        """Load the network.

        Args:
            precision: what `file` computes in.
            threads: threads of one pass; 0 takes what the CPU quota allows.
            spare: room for so many tokens, texts and clauses more than a packed pass needs, as
                runtimes with fixed shapes have it.

        Raises:
            ArtifactError: the runtime refuses the file.
        """
        self.precision = precision
        self.threads = threads or cpu_quota()
        self.lanes = 1
        self._pad_id = pad_id
        self._spare = spare
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        # Batches have many shapes: a plan and an arena for each would only hold memory.
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ORT's own exceptions share no public base class
            raise ArtifactError(f"ONNX Runtime cannot load {file}: {error}") from error
        inputs = {node.name: node.shape for node in self._session.get_inputs()}
        self._inputs = list(inputs)
        self.packs = PACKED_INPUT in inputs
        one = self.packs and inputs["text_slots"] == [1]
        self._most = 1 if one else most_texts(_PASS_TOKENS)

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens that are computed for rows of such lengths."""
        return sum(lengths) if self.packs else len(lengths) * max(lengths)

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """Logits of `rows`, in their order: padded together in one pass, or packed in several."""
        if not self.packs:
            batch = collate(rows, self._pad_id)
            return split_rows(rows, self._session.run(OUTPUTS, batch.as_inputs(self._inputs)))
        return run_in_passes(rows, _PASS_TOKENS, self._most, self._pass)

    def _pass(self, rows: Sequence[Row]) -> list[RowLogits]:
        inputs = pack(
            rows,
            self._pad_id,
            tokens=sum(row.length for row in rows) + self._spare,
            texts=1 if self._most == 1 else len(rows) + self._spare,
            clauses=sum(len(row.clauses) for row in rows) + self._spare,
        )
        return unpack(rows, self._session.run(OUTPUTS, inputs))
