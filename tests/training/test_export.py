"""The exported network says what torch says of the same weights."""

import numpy as np
import pytest

from models import Classifier
from models.engine import FLOAT_NETWORK, OUTPUTS
from models.engine_onnxruntime import OnnxEngine
from training.encoders import load_start
from training.export import PARITY_TOLERANCE, torch_logits

# Of different lengths and numbers of clauses, as they are padded together.
TEXTS = (
    "这部电影不坏，但也不算特别好。",
    "好",
    "\u3164，好",
    "很好吃，" * 30,
    "虽然远，服务没话说！",
)


def test_the_released_network_is_that_of_the_released_weights(released: Classifier) -> None:
    network, tokenizer, _ = load_start("released", released.manifest.max_length)
    rows = [row for text in TEXTS for row in tokenizer.prepare(text).rows]
    engine = OnnxEngine(released.folder / FLOAT_NETWORK, precision="fp32", pad_id=tokenizer.pad_id)
    exported = engine.run(rows)
    for ours, theirs in zip(
        exported, torch_logits(network.eval(), rows, tokenizer.pad_id), strict=True
    ):
        for name in OUTPUTS:
            assert np.allclose(getattr(ours, name), getattr(theirs, name), atol=PARITY_TOLERANCE), (
                name
            )


@pytest.mark.parametrize("text", TEXTS)
def test_a_row_alone_and_in_a_batch_are_one_in_full_precision(
    released: Classifier, text: str
) -> None:
    engine = OnnxEngine(
        released.folder / FLOAT_NETWORK, precision="fp32", pad_id=released.tokenizer.pad_id
    )
    (row,) = released.prepare(text).rows
    others = [released.prepare(other).rows[0] for other in TEXTS]
    (alone,), (padded, *_) = engine.run([row]), engine.run([row, *others])
    assert np.allclose(alone.document, padded.document, atol=1e-3)
    assert np.allclose(alone.clauses, padded.clauses, atol=1e-3)
