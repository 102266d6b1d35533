"""Averages: weights of trainings that began with the same, as one run."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from models.ngrams import NGRAMS
from training import encoders
from training.average import average, parse_shares
from training.encoders import RELEASED, Start, load_start, ngrams_of, with_encoder
from training.errors import TrainingError
from training.plan import read_plan
from training.train import write_run

RECIPE: dict[str, Any] = {"recipe": {"sources": [], "epochs": 0.25}, "seed": 3}


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """A run whose network is the released one, each weight one higher."""
    network, _, start = load_start("released", 8)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(1.0)
    folder = tmp_path / "moved"
    write_run(network, start, folder, {"max_length": 64, "seed": 3}, 1.0)
    (folder / "run.json").write_text(json.dumps(RECIPE), encoding="utf-8")
    return folder


def weights(network: Path) -> dict[str, torch.Tensor]:
    return load_file(network / "model.safetensors")


def test_each_weight_is_the_mean_by_share(moved: Path, tmp_path: Path):
    made = weights(average({"released": 3.0, str(moved): 1.0}, tmp_path / "made"))
    released = load_file(RELEASED / "weights.safetensors")
    assert made.keys() == released.keys()
    for name, before in released.items():
        assert torch.allclose(made[name], before.float() + 0.25, atol=1e-5), name


def test_an_average_is_a_run_with_the_recipe_of_the_first_run(moved: Path, tmp_path: Path):
    network = average({"released": 1.0, str(moved): 1.0}, tmp_path / "made")
    assert read_plan(tmp_path / "made").recipe.epochs == 0.25
    about = json.loads((network / "training.json").read_text(encoding="utf-8"))
    version = json.loads((RELEASED / "manifest.json").read_text(encoding="utf-8"))["version"]
    assert about["averaged"] == {f"danshi-zh {version}": 1.0, "moved": 1.0}
    assert about["max_length"] == 64
    assert about["encoder"]["name"] == "m3e-small"


def test_a_model_can_be_named_by_its_folder(tmp_path: Path):
    network = average({str(RELEASED): 1.0}, tmp_path / "made")
    about = json.loads((network / "training.json").read_text(encoding="utf-8"))
    assert list(about["averaged"]) == [load_start("released", 8)[2].source]
    assert (network / NGRAMS).is_file()


def test_its_ngrams_are_those_of_the_first_that_has_any(moved: Path, tmp_path: Path):
    network = average({str(moved): 1.0, "released": 1.0}, tmp_path / "made")
    assert (network / NGRAMS).read_bytes() == (RELEASED / NGRAMS).read_bytes()
    assert ngrams_of(str(network)) is not None


def test_an_encoder_alone_has_no_part_in_the_heads(
    moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    network, _, start = load_start("released", 8)
    with torch.no_grad():
        for part in network.parameters():
            part.zero_()
    bare = Start("bare", "none", "a test", start.tokenizer, lambda: with_encoder(network.encoder))
    monkeypatch.setitem(encoders.PRESETS, "bare", lambda: bare)
    made = weights(average({str(moved): 1.0, "bare": 1.0}, tmp_path / "made"))
    before = weights(moved / "network")
    for name, weight in made.items():
        share = 0.5 if name.startswith("encoder.") else 1.0
        assert torch.allclose(weight, share * before[name]), name


def test_a_head_that_a_network_does_not_have_yet_comes_from_the_others(moved: Path, tmp_path: Path):
    file = moved / "network" / "model.safetensors"
    older = {name: w for name, w in load_file(file).items() if not name.startswith("relation")}
    assert len(older) < len(load_file(file))
    save_file(older, file, {"format": "pt"})
    released = load_file(RELEASED / "weights.safetensors")
    made = weights(average({"released": 1.0, str(moved): 1.0}, tmp_path / "made"))
    for name, before in released.items():
        moved_by = 0.5 if name in older else 0.0
        assert torch.allclose(made[name], before.float() + moved_by, atol=1e-5), name
    with pytest.raises(TrainingError, match=r"none of .*moved has learnt relation"):
        average({str(moved): 1.0}, tmp_path / "alone")


def test_networks_of_another_shape_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, _, start = load_start("released", 8)
    config = BertConfig(
        vocab_size=21128, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64,
    )  # fmt: skip
    small = Start(
        "small", "none", "a test", start.tokenizer, lambda: with_encoder(BertModel(config))
    )
    monkeypatch.setitem(encoders.PRESETS, "small", lambda: small)
    with pytest.raises(TrainingError, match=r"small has encoder\..* of another shape"):
        average({"released": 1.0, "small": 1.0}, tmp_path / "made")
    with pytest.raises(TrainingError, match="needs heads"):
        average({"small": 1.0}, tmp_path / "made")


@pytest.mark.parametrize(
    "value", ["released", "=0.5", "released=much", "released=0", "released=inf"]
)
def test_a_share_that_is_none_is_named(value: str):
    with pytest.raises(TrainingError, match="must be NAME=SHARE"):
        parse_shares(["m3e-small=0.2", value])


def test_a_run_of_another_version_is_named(moved: Path):
    newer = {**RECIPE, "recipe": {**RECIPE["recipe"], "later": 1}}
    (moved / "run.json").write_text(json.dumps(newer), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"moved was begun by another version.*'later'"):
        read_plan(moved)


def test_a_finished_run_is_not_written_over(moved: Path):
    with pytest.raises(TrainingError, match="holds a network already"):
        average({"released": 1.0}, moved)


def test_a_network_is_named_once():
    assert parse_shares(["runs/a=0.5", "released=1"]) == {"runs/a": 0.5, "released": 1.0}
    with pytest.raises(TrainingError, match="twice"):
        parse_shares(["released=0.5", "released=0.5"])
