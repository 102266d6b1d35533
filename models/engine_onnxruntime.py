"""The network in ONNX Runtime: on every processor, in 8-bit integers or in full precision."""

from collections.abc import Sequence
from pathlib import Path

from .engine import OUTPUTS, Precision, RowLogits, split_rows
from .errors import ArtifactError
from .processor import cpu_quota
from .tokenizer import Row, collate

# isort: split
# Behind models.engine, which tells the runtime not to report its use to its maker.
import onnxruntime as ort


class OnnxEngine:
    """ONNX Runtime on the CPU. `run` may be called from any thread; it releases the GIL."""

    name = "onnxruntime"

    def __init__(self, file: Path, *, precision: Precision, pad_id: int, threads: int = 0) -> None:
        """Load the network.

        Args:
            precision: what `file` computes in.
            threads: threads of one pass; 0 takes what the CPU quota allows.

        Raises:
            ArtifactError: the runtime refuses the file.
        """
        self.precision = precision
        self.threads = threads or cpu_quota()
        self.lanes = 1
        self._pad_id = pad_id
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
        self._inputs = [node.name for node in self._session.get_inputs()]

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """Logits of `rows`, padded together in one pass, in their order."""
        batch = collate(rows, self._pad_id)
        return split_rows(rows, self._session.run(OUTPUTS, batch.as_inputs(self._inputs)))
