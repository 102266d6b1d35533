"""The network in OpenVINO: bfloat16 matrix units (AMX), where the processor has them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Literal

import numpy as np
import openvino as ov

from .engine import OUTPUTS, RowLogits, split_rows
from .errors import ArtifactError
from .processor import cpu_quota
from .tokenizer import NO_CLAUSE, Row, collate

# Every new shape costs some 15 ms and up to 4 MB of kernels, so there are only these.
_LENGTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256)
_SIZES = (16, 8, 4, 2, 1)
_PASS_TOKENS = 256  # what a pass gains from being larger ends about here
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
            self._model = core.compile_model(core.read_model(file), "CPU", options)
        except RuntimeError as error:
            raise ArtifactError(f"OpenVINO cannot load {file}: {error}") from error
        self._inputs = [node.get_any_name() for node in self._model.inputs]
        # A request holds one caller's tensors; there are as many as callers at a time.
        self._idle: SimpleQueue[ov.InferRequest] = SimpleQueue()
        # What OpenVINO's binding sets up at the first pass, two threads at once wait for for ever.
        nothing = np.full(2, NO_CLAUSE, np.int32)
        self.run([Row(np.full(2, pad_id, np.int32), nothing, ())])

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        request = self._model.create_infer_request() if self._idle.empty() else self._idle.get()
        try:
            found: dict[int, RowLogits] = {}
            for places in passes([row.length for row in rows]):
                found.update(
                    zip(places, self._pass(request, [rows[i] for i in places]), strict=True)
                )
        finally:
            self._idle.put(request)
        return [found[i] for i in range(len(rows))]

    def _pass(self, request: ov.InferRequest, rows: Sequence[Row]) -> list[RowLogits]:
        length = round_up(max(row.length for row in rows))
        slots = max(length // 4, *(len(row.clauses) for row in rows))
        batch = collate(rows, self._pad_id, length=length, slots=1 << (slots - 1).bit_length())
        outputs = request.infer(batch.as_inputs(self._inputs), share_inputs=True)
        return split_rows(rows, [np.asarray(outputs[name]) for name in OUTPUTS])


def passes(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Cut a batch into passes of few shapes; yields the places of each pass's rows.

    Sorted by length, so that little is padded, and each as many rows as one of `_SIZES`.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    while order:
        most = max(1, min(len(order), _PASS_TOKENS // round_up(lengths[order[0]])))
        size = next(size for size in _SIZES if size <= most)
        yield order[:size]
        order = order[size:]


def round_up(length: int) -> int:
    """The least of the lengths that are run which holds `length` tokens."""
    return next((n for n in _LENGTHS if n >= length), -(-length // 128) * 128)
