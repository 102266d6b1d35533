"""A float network that costs no weights of its own: a graph whose tensors lie in another file.

safetensors holds raw tensors one behind the other, and ONNX may name a file, an offset and a
length instead of holding a tensor (its external data). So the half-precision weights that a
retraining starts from also serve, and every runtime folds the casts when it loads.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Below this a tensor may equal another by chance, and to hold it costs nothing.
_SMALLEST = 64
# A graph with a large tensor of its own would be a second copy of the weights.
_LARGEST_LEFT = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Stored:
    """One tensor of the weights file, at [offset, offset + length) of it."""

    name: str
    offset: int
    values: NDArray[np.float16]

    def as_initializer(self, file: str) -> TensorProto:
        tensor = TensorProto(
            name=f"{self.name}.float16",
            data_type=TensorProto.FLOAT16,
            dims=self.values.shape,
            data_location=TensorProto.EXTERNAL,
        )
        places = ("location", file), ("offset", self.offset), ("length", self.values.nbytes)
        for key, value in places:
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def link_weights(source: Path, weights: Path, target: Path) -> None:
    """Write the network of `source` to `target`, with its tensors left in `weights`.

    `weights` (float16 safetensors) must lie beside `target`, now and whenever it is loaded;
    its tensors are found by their content, as they are or transposed.

    Raises:
        ValueError: a large tensor of the network is not in `weights`.
    """
    model = onnx.load(source)
    stored = _by_content(weights)
    linked: dict[str, TensorProto] = {}
    kept: list[TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        found = None
        if values.dtype == np.float32 and values.size >= _SMALLEST:
            found = stored.get(_content(values.astype(np.float16)))
        if found is None:
            if values.nbytes > _LARGEST_LEFT:
                raise ValueError(f"{weights} does not hold the network's tensor {tensor.name}")
            kept.append(tensor)
            continue
        original, transposed = found
        initializer = original.as_initializer(weights.name)
        linked[initializer.name] = initializer
        half = initializer.name
        if transposed:
            half = f"{tensor.name}.transposed"
            nodes.append(helper.make_node("Transpose", [initializer.name], [half], perm=[1, 0]))
        nodes.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
    nodes.extend(model.graph.node)
    for node in nodes:  # what the exporter remembers of the Python source is half of the file
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    graph = model.graph
    for name in ("node", "initializer", "value_info", "metadata_props"):
        graph.ClearField(name)
    graph.node.extend(nodes)
    graph.initializer.extend((*linked.values(), *kept))
    model.ClearField("metadata_props")
    target.write_bytes(model.SerializeToString())


def _by_content(file: Path) -> dict[tuple[tuple[int, ...], bytes], tuple[_Stored, bool]]:
    found: dict[tuple[tuple[int, ...], bytes], tuple[_Stored, bool]] = {}
    for tensor in _read(file):
        found.setdefault(_content(tensor.values), (tensor, False))
        if tensor.values.ndim == 2:
            found.setdefault(_content(tensor.values.T), (tensor, True))
    return found


def _content(values: NDArray[np.float16]) -> tuple[tuple[int, ...], bytes]:
    return values.shape, values.tobytes()


def _read(file: Path) -> Iterator[_Stored]:
    """The float16 tensors of a safetensors file: 8 bytes of length, a JSON header, the data."""
    raw = file.read_bytes()
    begin = 8 + int.from_bytes(raw[:8], "little")
    for name, entry in json.loads(raw[8:begin]).items():
        if name == "__metadata__" or entry["dtype"] != "F16":
            continue
        start, _ = entry["data_offsets"]
        shape = tuple(entry["shape"])
        count = int(np.prod(shape))
        values = np.frombuffer(raw, np.float16, count, begin + start).reshape(shape)
        yield _Stored(name, begin + start, values)
