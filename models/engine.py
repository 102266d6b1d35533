"""Engines: runtimes with the network loaded, behind one interface; and which one to take."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from .errors import ArtifactError
from .processor import cpu_features
from .tokenizer import Row

# ONNX Runtime reports its use to its maker unless told not to before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

logger = logging.getLogger(__name__)

NETWORK = "network.onnx"
FLOAT_NETWORK = "network.float.onnx"

Floats = NDArray[np.float32]
Precision = Literal["int8", "bf16", "fp32"]
EngineName = Literal["onnxruntime-int8", "onnxruntime-fp32", "openvino-bf16", "openvino-fp32"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


# What no network has that takes padded texts.
PACKED_INPUT = "clause_texts"
# What the exported network gives, in this order.
OUTPUTS = ("document", "leaning", "clauses", "relations")


@dataclass(frozen=True, slots=True, eq=False)
class RowLogits:
    """What the network says of one window.

    document (4,), leaning, clauses (C, 3), relations (C, 4).
    """

    document: Floats
    leaning: float
    clauses: Floats
    relations: Floats


class Engine(Protocol):
    """A runtime with the network loaded."""

    @property
    def name(self) -> str:
        """The runtime."""
        ...

    @property
    def precision(self) -> str:
        """What it computes in."""
        ...

    # Threads in all, and how many passes side by side fill them.
    threads: int
    lanes: int
    # Whether it lays rows end to end, so that their lengths may differ at no cost; else it pads
    # them to the longest.
    packs: bool

    def cost(self, lengths: Sequence[int]) -> int:
        """Tokens that are computed for rows of such lengths, padding included."""
        ...

    def run(self, rows: Sequence[Row]) -> list[RowLogits]:
        """Logits of `rows`, in their order. Blocks, and releases the GIL."""
        ...


def split_rows(rows: Sequence[Row], outputs: Sequence[Floats]) -> list[RowLogits]:
    """The logits of each row from those of the batch, which come in the order of `OUTPUTS`."""
    document, leaning, clauses, relations = outputs
    return [
        RowLogits(
            document[i],
            float(leaning[i]),
            clauses[i, : len(row.clauses)],
            relations[i, : len(row.clauses)],
        )
        for i, row in enumerate(rows)
    ]


def load_engine(
    folder: Path,
    wanted: EngineName | Literal["auto"],
    *,
    precision: str,
    pad_id: int,
    threads: int = 0,
) -> Engine:
    """Load the network of the model in `folder`.

    Args:
        wanted: an engine; `auto` takes what is fastest on this processor.
        precision: of the folder's `network.onnx`.
        threads: how many to compute with; 0 takes what the CPU quota allows.

    Raises:
        ArtifactError: the model, this installation or this processor lacks what `wanted` needs.
    """
    name = choose(folder, precision) if wanted == "auto" else wanted
    runtime, _, kind = name.partition("-")
    file = folder / FLOAT_NETWORK
    if kind == precision and not (kind == "fp32" and file.is_file()):
        file = folder / NETWORK
    elif kind == "int8" or not file.is_file():
        raise ArtifactError(
            f"the model in {folder} has no {'int8' if kind == 'int8' else 'float'} network for the "
            f"engine {name}: take another, or export the model again"
        )
    if runtime == "openvino":
        if not has_openvino():
            raise ArtifactError(f"the engine {name} needs OpenVINO: pip install 'danshi[openvino]'")
        from .engine_openvino import OpenVinoEngine

        return OpenVinoEngine(
            file, precision="bf16" if kind == "bf16" else "fp32", pad_id=pad_id, threads=threads
        )
    from .engine_onnxruntime import OnnxEngine

    return OnnxEngine(
        file, precision="int8" if kind == "int8" else "fp32", pad_id=pad_id, threads=threads
    )


def choose(folder: Path, precision: str) -> EngineName:
    """The fastest engine for the model in `folder` on this processor.

    Measured by tests/benchmarks/runtimes.py: with AMX, bfloat16 in OpenVINO is twice as fast as
    8-bit integers in ONNX Runtime, and as exact as full precision.
    """
    file = folder / FLOAT_NETWORK
    if file.is_file() and "amx_bf16" in cpu_features():
        if not has_openvino():
            logger.info(
                "this processor would be about twice as fast with OpenVINO: "
                "pip install 'danshi[openvino]'"
            )
        elif is_packed(file):
            return "openvino-bf16"
        else:
            logger.warning(
                "%s was exported by an earlier version: `danshi export` its run again, and this "
                "processor is about twice as fast",
                folder,
            )
    if precision == "int8":
        return "onnxruntime-int8"
    return "onnxruntime-fp32"


def is_packed(file: Path) -> bool:
    """Whether a float network takes texts end to end (see packing.py): by an input's name."""
    return PACKED_INPUT.encode() in file.read_bytes()


def has_openvino() -> bool:
    """Whether OpenVINO is installed; it is an extra."""
    return find_spec("openvino") is not None
