"""Export a trained network for serving: int8 and float ONNX, with a parity gate against torch.

The float network is a small graph over the tensors of the weights file; see link_weights.py.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model

from models.artifact import WEIGHTS
from models.engine import FLOAT_NETWORK, NETWORK, OUTPUTS, RowLogits, split_rows
from models.engine_onnxruntime import OnnxEngine
from models.network import DanshiNetwork
from models.packing import pack
from models.tokenizer import Row, TextTokenizer, collate
from training.errors import TrainingError
from training.link_weights import link_weights
from training.packed import PackedNetwork

log = logging.getLogger(__name__)

OPSET = 18
PARITY_TOLERANCE = 2e-3


def export_network(
    network: DanshiNetwork,
    tokenizer: TextTokenizer,
    texts: Sequence[str],
    folder: Path,
    *,
    quantise: bool = True,
) -> None:
    """Write `network`, whose weights lie in `folder` already, as float and as int8 ONNX.

    The float network takes texts end to end, the int8 one padded (why: EXPERIMENTS.md). The
    graph that is served and the one that is quantised must both agree with torch on `texts`:
    largest difference of any logit at most `PARITY_TOLERANCE`.

    Raises:
        TrainingError: the export does not agree with torch.
    """
    network = network.float().eval()
    rows = [row for text in texts for row in tokenizer.prepare(text).rows]
    plain, fused = folder / "plain.onnx", folder / "fused.onnx"
    _packed_to_onnx(PackedNetwork(network), rows[:2], tokenizer.pad_id, plain)
    link_weights(plain, folder / WEIGHTS, folder / FLOAT_NETWORK)
    _check_parity(network, folder / FLOAT_NETWORK, rows, tokenizer.pad_id)
    if quantise:
        _padded_to_onnx(network, rows[:2], tokenizer.pad_id, plain)
        _fuse(network, plain, fused)
        _check_parity(network, fused, rows, tokenizer.pad_id)
        # Embeddings, matrix products and attention; one scale a channel keeps the accuracy.
        quantize_dynamic(
            fused,
            folder / NETWORK,
            op_types_to_quantize=["MatMul", "Attention", "Gather", "EmbedLayerNormalization"],
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )
        fused.unlink()
    plain.unlink()


def _packed_to_onnx(network: PackedNetwork, rows: Sequence[Row], pad_id: int, file: Path) -> None:
    texts = len(rows) if network.packs else 1
    needed = sum(row.length for row in rows[:texts]), sum(len(row.clauses) for row in rows[:texts])
    # Some room of each kind, so that no size is 1: it would stay so.
    room = texts + 1 if network.packs else 1
    inputs = pack(rows[:texts], pad_id, tokens=needed[0] + 3, texts=room, clauses=needed[1] + 2)
    tokens, slots, clauses = (torch.export.Dim(name) for name in ("tokens", "texts", "clauses"))
    shapes = {name: {0: tokens} for name in inputs}
    shapes |= {"clause_texts": {0: clauses}, "clause_slots": {0: clauses}}
    shapes["text_slots"] = {0: slots} if network.packs else {}
    _to_onnx(network, inputs, shapes, file)


def _padded_to_onnx(network: DanshiNetwork, rows: Sequence[Row], pad_id: int, file: Path) -> None:
    batch, tokens, slots = (torch.export.Dim(name) for name in ("batch", "tokens", "slots"))
    inputs = collate(rows, pad_id).as_inputs()
    shapes = {name: {0: batch, 1: tokens} for name in inputs}
    shapes["clause_slots"] = {0: slots}
    _to_onnx(network, inputs, shapes, file)


def _to_onnx(
    network: torch.nn.Module,
    inputs: Mapping[str, NDArray[np.int64]],
    shapes: Mapping[str, Mapping[int, Any]],
    file: Path,
) -> None:
    with warnings.catch_warnings():
        # The exporter warns about its own internals; what counts is the parity gate.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (),
            str(file),
            kwargs={name: torch.from_numpy(array) for name, array in inputs.items()},
            input_names=list(inputs),
            output_names=list(OUTPUTS),
            dynamic_shapes=dict(shapes),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _fuse(network: DanshiNetwork, source: Path, target: Path) -> None:
    """Fuse attention, layer norm and gelu where the graph has the patterns of BERT."""
    config = network.encoder.config
    model = optimize_model(
        str(source),
        model_type="bert",
        num_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        opt_level=1,
        only_onnxruntime=False,
    )
    log.info("fused: %s", model.get_fused_operator_statistics())
    model.save_model_to_file(str(target))


def _check_parity(network: DanshiNetwork, file: Path, rows: Sequence[Row], pad_id: int) -> None:
    """Stop if any logit of the exported file differs too much from torch's."""
    engine = OnnxEngine(file, precision="fp32", pad_id=pad_id, spare=5)
    worst = 0.0
    for start in range(0, len(rows), 16):
        part = rows[start : start + 16]
        for ours, theirs in zip(engine.run(part), torch_logits(network, part, pad_id), strict=True):
            for name in OUTPUTS:
                difference = np.abs(np.subtract(getattr(ours, name), getattr(theirs, name)))
                worst = max(worst, float(difference.max()))
    log.info("%s: largest difference to torch over %d windows: %.1e", file.name, len(rows), worst)
    if not worst <= PARITY_TOLERANCE:
        raise TrainingError(
            f"the exported network {file.name} differs from torch by {worst:.1e} in a logit, "
            f"allowed is {PARITY_TOLERANCE:.0e}"
        )


def torch_logits(network: DanshiNetwork, rows: Sequence[Row], pad_id: int) -> list[RowLogits]:
    """What the torch network says of `rows`, as the engine would."""
    batch = collate(rows, pad_id).as_inputs()
    with torch.inference_mode():
        out = network(**{name: torch.from_numpy(array) for name, array in batch.items()})
    return split_rows(rows, [getattr(out, name).numpy() for name in OUTPUTS])
