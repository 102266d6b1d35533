"""Run rows through the exported network: one padded batch in, logits a row out."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtifactError
from models.tokenizer import Row, collate

# The runtime reports its use to its maker unless told not to before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

Floats = NDArray[np.float32]

# What the exported network gives, in this order.
OUTPUTS = ("document", "leaning", "clauses", "relations")


@dataclass(frozen=True, slots=True, eq=False)
class RowLogits:
    """What the network says of one window.

    document (4,), leaning, clauses (C, 3), relations (C, 4).
    relations: None from a model that was released before the head was.
    """

    document: Floats
    leaning: float
    clauses: Floats
    relations: Floats | None = None


class Engine(Protocol):
    """A runtime with the network loaded."""

    name: str
    precision: str
    # Threads of one pass, and how many passes side by side fill the processor.
    threads: int
    lanes: int

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """Logits of `rows`, padded together in one pass, in their order."""
        ...


class OnnxEngine:
    """ONNX Runtime on the CPU. `run` may be called from any thread; it releases the GIL."""

    name = "onnxruntime"

    def __init__(self, file: Path, *, precision: str, pad_id: int, threads: int = 0) -> None:
        """Load the network.

        Args:
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
                file.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ORT's own exceptions share no public base class
            raise ArtifactError(f"ONNX Runtime cannot load {file}: {error}") from error
        offered = {output.name for output in self._session.get_outputs()}
        self._outputs = [name for name in OUTPUTS if name in offered]

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        batch = collate(rows, self._pad_id)
        return split_rows(rows, self._session.run(self._outputs, batch.as_inputs()))


def split_rows(rows: Sequence[Row], outputs: Sequence[Floats]) -> list[RowLogits]:
    """The logits of each row from those of the batch, which come in the order of `OUTPUTS`."""
    document, leaning, clauses = outputs[:3]
    relations = outputs[3] if len(outputs) > 3 else None
    return [
        RowLogits(
            document[i],
            float(leaning[i]),
            clauses[i, : len(row.clauses)],
            None if relations is None else relations[i, : len(row.clauses)],
        )
        for i, row in enumerate(rows)
    ]


def cpu_quota() -> int:
    """CPUs this process may use: its affinity, and the container's quota if that is less."""
    if hasattr(os, "sched_getaffinity"):
        available = len(os.sched_getaffinity(0))
    else:
        available = os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        available = min(available, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no cgroup v2, or no quota ("max")
    return available
