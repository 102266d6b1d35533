"""The artifact: what is not exactly what was released is refused, with a sentence."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import ArtifactError, Classifier
from models.artifact import load_manifest, write_manifest
from models.ngrams import NGRAMS
from tests.conftest import RELEASED


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASED, tmp_path / "model"))


def edit(folder: Path, **changes: object) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_the_released_model_loads_and_its_files_are_its_own(copy: Path):
    Classifier.load(copy).check_golden()


@pytest.mark.parametrize("name", ["network.onnx", "tokenizer.json", "golden.jsonl", NGRAMS])
def test_a_tampered_file_is_refused_by_name(copy: Path, name: str):
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"{name} is not the file that was released"):
        Classifier.load(copy)


def test_a_missing_file_is_named(copy: Path):
    (copy / "network.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"network\.onnx is missing"):
        Classifier.load(copy)


def test_a_model_that_counts_on_ngrams_is_refused_without_them(copy: Path):
    (copy / NGRAMS).unlink()
    write_manifest(copy, load_manifest(copy))
    with pytest.raises(ArtifactError, match=r"does not list ngrams\.npz"):
        Classifier.load(copy)


def test_a_model_without_ngrams_is_served_by_its_network_alone(copy: Path):
    (copy / NGRAMS).unlink()
    write_manifest(copy, replace(load_manifest(copy), ngrams={}))
    assert Classifier.load(copy).classify("房间很干净，但是隔音太差了。").label == "mixed"


def test_a_folder_without_a_model_is_told_so(tmp_path: Path):
    with pytest.raises(ArtifactError, match="is no model"):
        Classifier.load(tmp_path)


def test_another_schema_is_refused_with_the_way_out(copy: Path):
    edit(copy, schema_version=99)
    with pytest.raises(ArtifactError, match="schema version 99, this code reads 1: export"):
        Classifier.load(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [("labels", ["good", "bad"]), ("clause_rules", "v0"), ("normalisation", "v9")],
)
def test_a_model_made_by_other_rules_is_refused(copy: Path, name: str, value: object):
    edit(copy, **{name: value})
    with pytest.raises(ArtifactError, match=name):
        Classifier.load(copy)


def test_a_manifest_that_is_not_json_is_refused(copy: Path):
    (copy / "manifest.json").write_text("{")
    with pytest.raises(ArtifactError, match="cannot read"):
        Classifier.load(copy)


def test_a_golden_text_that_comes_out_differently_is_an_error(copy: Path):
    classifier = Classifier.load(copy)
    line = json.loads((copy / "golden.jsonl").read_text().splitlines()[0])
    line["polarity"] = 0.99
    (copy / "golden.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ArtifactError, match="golden text 1 came out"):
        classifier.check_golden()


def test_the_manifest_names_data_licence_encoder_and_scores():
    manifest = load_manifest(RELEASED)
    assert manifest.encoder["name"] == "m3e-small"
    assert "non-commercial" in manifest.licence
    assert manifest.data
    assert {"chnsenticorp", "waimai_10k", "online_shopping", "zhang"} <= set(
        manifest.scores["sets"]
    )


def test_nothing_in_the_release_is_a_pickle():
    with np.load(RELEASED / NGRAMS, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.hasobject is False for name in arrays)
    assert {p.suffix for p in RELEASED.iterdir()} <= {
        ".json",
        ".jsonl",
        ".onnx",
        ".safetensors",
        ".md",
        ".npz",
    }
