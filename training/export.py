"""Export a trained network for serving: int8 and float ONNX, with a parity gate against torch.

The float network is a small graph over the tensors of the weights file; see link_weights.py.
"""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers.optimizer import optimize_model

from models.artifact import WEIGHTS
from models.engine import FLOAT_NETWORK, NETWORK, OUTPUTS, RowLogits, split_rows
from models.engine_onnxruntime import OnnxEngine
from models.network import DanshiNetwork
from models.tokenizer import Row, TextTokenizer, collate
from training.errors import TrainingError
from training.link_weights import link_weights

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

    Both float graphs, the one that is served and the one that is quantised, must agree with
    torch on `texts`: largest difference of any logit at most `PARITY_TOLERANCE`.

    Raises:
        TrainingError: the export does not agree with torch.
    """
    network = network.float().eval()
    rows = [row for text in texts for row in tokenizer.prepare(text).rows]
    plain, fused = folder / "plain.onnx", folder / "fused.onnx"
    _to_onnx(network, rows[:2], tokenizer.pad_id, plain)
    link_weights(plain, folder / WEIGHTS, folder / FLOAT_NETWORK)
    _check_parity(network, folder / FLOAT_NETWORK, rows, tokenizer.pad_id)
    if quantise:
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


def _to_onnx(network: DanshiNetwork, rows: Sequence[Row], pad_id: int, file: Path) -> None:
    inputs = {
        name: torch.from_numpy(array) for name, array in collate(rows, pad_id).as_inputs().items()
    }
    batch, tokens, slots = (torch.export.Dim(name) for name in ("batch", "tokens", "slots"))
    matrix = {0: batch, 1: tokens}
    with warnings.catch_warnings():
        # The exporter warns about its own internals; what counts is the parity gate.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (),
            str(file),
            kwargs=inputs,
            input_names=list(inputs),
            output_names=list(OUTPUTS),
            dynamic_shapes={
                "input_ids": matrix,
                "attention_mask": matrix,
                "clause_ids": matrix,
                "clause_opens": matrix,
                "clause_slots": {0: slots},
            },
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
    engine = OnnxEngine(file, precision="fp32", pad_id=pad_id)
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
