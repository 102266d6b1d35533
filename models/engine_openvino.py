"""The network in OpenVINO: bfloat16 matrix units (AMX), where the processor has them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from .engine import OUTPUTS, RowLogits
from .errors import ArtifactError
from .packing import INPUTS, PASS_TOKENS, fill, most_texts, pack, run_in_passes, unpack
from .processor import cpu_quota
from .tokenizer import NO_CLAUSE, Row

# Every new shape costs some 15 ms and up to 4 MB of kernels, so there are only these; under load
# nearly all passes have the last.
_LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256)
_MOST_STREAMS = 4  # each has kernels of its own


class OpenVinoEngine:
    """OpenVINO on the CPU. `run` may be called from any thread; it releases the GIL."""

    name = "openvino"

    def __init__(
        self, file: Path, *, precision: Literal["bf16", "fp32"], pad_id: int, threads: int = 0
    ) -> None:
        """Load the network.

        Args:
            precision: what it computes in; fp32 works everywhere.
            threads: how many to compute with; 0 takes what the CPU quota allows.

        Raises:
            ArtifactError: the runtime refuses the file, or the processor the precision.
        """
        self.precision = precision
        self.threads = threads or cpu_quota()
        # Passes side by side, on a core each, do more than one pass on all cores.
        self.lanes = min(self.threads, _MOST_STREAMS)
        self.packs = True
        self._pad_id = pad_id
        core = ov.Core()
        hint = "bf16" if precision == "bf16" else "f32"
        if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ArtifactError("this processor does not compute in bf16; take another engine")
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": self.lanes,
            # Several services on one machine would all pin to its first cores.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            self._model = _compile(core, core.read_model(file), options)
        except RuntimeError as error:
            raise ArtifactError(f"OpenVINO cannot load {file}: {error}") from error
        inputs = {node.get_any_name(): node.partial_shape for node in self._model.inputs}
        if set(inputs) != set(INPUTS):
            raise ArtifactError(
                f"{file} was exported by an earlier version, for texts that are padded: `danshi "
                "export` its run again, or take the engine onnxruntime-fp32"
            )
        one = inputs["text_slots"].is_static
        self._most = 1 if one else most_texts(PASS_TOKENS)
        # A request holds one caller's tensors; there are as many as callers at a time.
        self._idle: SimpleQueue[ov.InferRequest] = SimpleQueue()
        # What OpenVINO's binding sets up at the first pass, two threads at once wait for for ever.
        nothing = np.full(2, NO_CLAUSE, np.int32)
        self.run([Row(np.full(2, pad_id, np.int32), nothing, ())])

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens that are computed for rows of such lengths."""
        return sum(
            room(sum(lengths[i] for i in places), len(places), 0)[0]
            for places in fill(lengths, PASS_TOKENS, self._most)
        )

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        request = self._model.create_infer_request() if self._idle.empty() else self._idle.get()
        try:
            return run_in_passes(rows, PASS_TOKENS, self._most, partial(self._pass, request))
        finally:
            self._idle.put(request)

    def _pass(self, request: ov.InferRequest, rows: Sequence[Row]) -> list[RowLogits]:
        inputs = lay_out(rows, self._pad_id, one_text=self._most == 1)
        outputs = request.infer(inputs, share_inputs=True)
        return unpack(rows, [np.asarray(outputs[name]) for name in OUTPUTS])


def _compile(core: ov.Core, network: ov.Model, options: dict[str, Any]) -> ov.CompiledModel:
    try:
        # Attention as single operations: 8% more tokens a second (EXPERIMENTS.md). The option
        # is not in OpenVINO's documentation, so that a version may come without it.
        return core.compile_model(network, "CPU", options | {"SNIPPETS_MODE": "DISABLE"})
    except RuntimeError:
        return core.compile_model(network, "CPU", options)


def lay_out(
    rows: Sequence[Row], pad_id: int, *, one_text: bool = False
) -> dict[str, NDArray[np.int64]]:
    """The inputs of a pass over `rows`, in one of the shapes that are run.

    one_text: the network has no room for another.
    """
    tokens, texts, clauses = room(
        sum(row.length for row in rows), len(rows), sum(len(row.clauses) for row in rows)
    )
    return pack(rows, pad_id, tokens=tokens, texts=1 if one_text else texts, clauses=clauses)


def room(tokens: int, texts: int, clauses: int) -> tuple[int, int, int]:
    """The least of the shapes that are run which holds so many tokens, texts and clauses.

    Most texts have 32 tokens and more and most clauses 4: there is room for so many, and for
    twice or four times as many where they are shorter.
    """
    tokens = next((n for n in _LENGTHS if n >= tokens), -(-tokens // 128) * 128)
    return tokens, _double(max(tokens // 32, 1), texts), _double(tokens // 4, clauses)


def _double(slots: int, needed: int) -> int:
    while slots < needed:
        slots *= 2
    return slots
