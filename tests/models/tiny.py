"""A tiny model with random weights, made by the real export."""

import json
import shutil
from pathlib import Path

import torch

from models import Classifier
from models.artifact import GOLDEN, TOKENIZER, Manifest, write_manifest
from models.network import DanshiConfig, DanshiNetwork
from models.tokenizer import TextTokenizer
from tests.conftest import RELEASED
from training.candidate import write_weights
from training.export import export_network

TEXTS = (
    "屏幕清晰，音质也好，就是电池太不耐用了。",
    "还行。",
    "虽然位置偏了点，但是服务真没话说！" * 3,
)


def make_tiny_model(folder: Path) -> Path:
    """A whole model folder: two layers of width 32, int8 and float."""
    torch.manual_seed(5)
    encoder = {
        "model_type": "bert",
        "vocab_size": 21128,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        "initializer_range": 0.4,  # so that answers differ from text to text
    }
    network = DanshiNetwork(DanshiConfig(encoder=encoder)).half().float().eval()
    folder.mkdir(parents=True)
    shutil.copyfile(RELEASED / TOKENIZER, folder / TOKENIZER)
    write_weights(network, folder)
    export_network(network, TextTokenizer.load(folder / TOKENIZER, 64), TEXTS, folder)
    manifest = Manifest(
        name="tiny",
        version="1",
        created="2026-11-01",
        max_length=64,
        precision="int8",
        encoder={},
        licence="none",
    )
    write_manifest(folder, manifest)
    classifier = Classifier.load(folder, engine="onnxruntime-fp32")
    lines = []
    for text in TEXTS:
        result = classifier.classify(text)
        golden = {
            "text": text,
            "label": result.label,
            "polarity": result.polarity,
            "clauses": [clause.label for clause in result.clauses],
        }
        lines.append(json.dumps(golden, ensure_ascii=False))
    (folder / GOLDEN).write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_manifest(folder, manifest)
    return folder
