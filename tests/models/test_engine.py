"""Engines: the same answers from every runtime, whatever is in the batch; chosen by processor."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from models import ArtifactError, Classifier, engine
from models.artifact import load_manifest, write_manifest
from models.engine import (
    ENGINES,
    FLOAT_NETWORK,
    NETWORK,
    PACKED_INPUT,
    EngineName,
    RowLogits,
    choose,
)
from models.engine_openvino import OpenVinoEngine
from models.processor import cpu_features
from models.tokenizer import Row
from tests.conftest import RELEASED
from tests.models.tiny import TEXTS

# Of a logit; those of the tiny model have a spread of about 3.
TOLERANCE: dict[EngineName, float] = {
    "onnxruntime-fp32": 0.0,
    "openvino-fp32": 1e-3,
    "openvino-bf16": 0.3,
    "onnxruntime-int8": 2.0,
}


def available() -> list[EngineName]:
    bf16 = cpu_features() & {"amx_bf16", "avx512_bf16"}
    return [name for name in ENGINES if bf16 or name != "openvino-bf16"]


def rows_of(classifier: Classifier, texts: Sequence[str]) -> list[Row]:
    return [row for text in texts for row in classifier.prepare(text).rows]


def difference(ours: Sequence[RowLogits], theirs: Sequence[RowLogits]) -> float:
    return max(
        float(np.abs(np.subtract(getattr(a, name), getattr(b, name))).max())
        for a, b in zip(ours, theirs, strict=True)
        for name in ("document", "leaning", "clauses", "relations")
    )


@pytest.mark.parametrize("name", available())
def test_every_engine_says_what_full_precision_says(tiny: Path, name: EngineName):
    exact = Classifier.load(tiny, engine="onnxruntime-fp32")
    other = Classifier.load(tiny, engine=name)
    assert other.engine_name == name
    rows = rows_of(exact, TEXTS)
    assert difference(other.run(rows), exact.run(rows)) <= TOLERANCE[name]


_TWO_AT_ONCE = """
import sys, threading
from pathlib import Path
from models import Classifier

sys.setswitchinterval(1e-5)
classifier = Classifier.load(Path(sys.argv[1]), engine=sys.argv[2])
rows = classifier.prepare("好").rows
together = threading.Barrier(2)
threads = [
    threading.Thread(target=lambda: (together.wait(), classifier.run(rows))) for _ in range(2)
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", available())
def test_the_first_two_passes_may_come_at_once(tiny: Path, name: EngineName):
    for _ in range(4):  # one in four hung where the runtime's binding was set up by two threads
        subprocess.run(
            [sys.executable, "-c", _TWO_AT_ONCE, str(tiny), name], timeout=60, check=True
        )


@pytest.mark.parametrize("name", [n for n in available() if n != "onnxruntime-int8"])
def test_a_text_gets_the_same_answer_alone_and_in_a_batch(tiny: Path, name: EngineName):
    classifier = Classifier.load(tiny, engine=name)
    rows = rows_of(classifier, [*TEXTS, *(TEXTS[0][:i] for i in range(1, 20))])
    alone = [classifier.run([row])[0] for row in rows]
    assert difference(classifier.run(rows), alone) <= max(1e-4, TOLERANCE[name])


@pytest.mark.parametrize("name", available())
def test_the_golden_texts_pass_with_every_engine(tiny: Path, name: EngineName):
    Classifier.load(tiny, engine=name).check_golden()


def test_an_engine_that_says_nothing_fails_the_golden_texts():
    classifier = Classifier.load(RELEASED)
    run = classifier.engine.run

    class Mute:
        name, precision, threads, lanes, packs = "mute", "fp32", 1, 1, False

        def cost(self, lengths: Sequence[int]) -> int:
            return sum(lengths)

        def run(self, rows: Sequence[Row]) -> list[RowLogits]:
            return [RowLogits(0 * o.document, 0.0, 0 * o.clauses, o.relations) for o in run(rows)]

    classifier.engine = Mute()
    with pytest.raises(ArtifactError, match="golden text 1 came out"):
        classifier.check_golden()


def test_the_float_network_holds_no_weights_of_its_own(tiny: Path):
    assert (tiny / FLOAT_NETWORK).stat().st_size < 60_000


def test_a_float_network_without_its_weights_is_refused(tiny: Path, tmp_path: Path):
    copy = Path(shutil.copytree(tiny, tmp_path / "model"))
    (copy / "weights.safetensors").unlink()
    write_manifest(copy, load_manifest(copy))
    with pytest.raises(ArtifactError, match=r"does not list weights\.safetensors"):
        Classifier.load(copy)


def test_an_engine_that_the_model_has_no_network_for_is_refused(tiny: Path, tmp_path: Path):
    copy = Path(shutil.copytree(tiny, tmp_path / "model"))
    (copy / FLOAT_NETWORK).unlink()
    write_manifest(copy, load_manifest(copy))
    with pytest.raises(ArtifactError, match="no float network for the engine openvino-fp32"):
        Classifier.load(copy, engine="openvino-fp32")
    assert Classifier.load(copy).engine_name == "onnxruntime-int8"


def test_a_network_that_was_exported_for_padded_texts_is_refused(tiny: Path, tmp_path: Path):
    network = onnx.load(tiny / FLOAT_NETWORK, load_external_data=False)
    network.graph.input.remove(next(i for i in network.graph.input if i.name == "clause_texts"))
    network.graph.node.insert(
        0,
        onnx.helper.make_node(
            "Constant", [], ["clause_texts"],
            value=onnx.numpy_helper.from_array(np.zeros(1, np.int64)),
        ),
    )  # fmt: skip
    onnx.save(network, tmp_path / FLOAT_NETWORK)
    (tmp_path / "weights.safetensors").write_bytes((tiny / "weights.safetensors").read_bytes())
    with pytest.raises(ArtifactError, match="exported by an earlier version"):
        OpenVinoEngine(tmp_path / FLOAT_NETWORK, precision="fp32", pad_id=0)


@pytest.mark.parametrize(
    ("features", "installed", "files", "precision", "expected"),
    [
        ({"amx_bf16", "avx512_bf16"}, True, {FLOAT_NETWORK, NETWORK}, "int8", "openvino-bf16"),
        ({"amx_bf16", "avx512_bf16"}, False, {FLOAT_NETWORK, NETWORK}, "int8", "onnxruntime-int8"),
        ({"avx512_bf16"}, True, {FLOAT_NETWORK, NETWORK}, "int8", "onnxruntime-int8"),
        ({"amx_bf16"}, True, {NETWORK}, "int8", "onnxruntime-int8"),
        (set(), True, {FLOAT_NETWORK}, "fp32", "onnxruntime-fp32"),
    ],
)
def test_the_processor_decides(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    features: set[str],
    installed: bool,
    files: set[str],
    precision: str,
    expected: str,
):
    monkeypatch.setattr(engine, "cpu_features", lambda: frozenset(features))
    monkeypatch.setattr(engine, "has_openvino", lambda: installed)
    for name in files:
        (tmp_path / name).write_bytes(b"\x0c" + PACKED_INPUT.encode())
    assert choose(tmp_path, precision) == expected


def test_a_network_that_an_earlier_version_exported_is_served_by_the_engine_that_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(engine, "cpu_features", lambda: frozenset({"amx_bf16"}))
    monkeypatch.setattr(engine, "has_openvino", lambda: True)
    (tmp_path / FLOAT_NETWORK).write_bytes(b"attention_mask")
    assert choose(tmp_path, "int8") == "onnxruntime-int8"
    assert "`danshi export` its run again" in caplog.text


def test_an_engine_that_is_not_installed_says_how_to_install_it(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(engine, "has_openvino", lambda: False)
    with pytest.raises(ArtifactError, match=r"pip install 'danshi\[openvino\]'"):
        Classifier.load(tiny, engine="openvino-fp32")


def test_a_quarter_of_a_processor_is_one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from models import processor

    def quota(content: dict[str, str]) -> Any:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return processor._container_quota(folder)

    assert quota({"cpu.max": "25000 100000\n"}) == 1
    assert quota({"cpu.max": "350000 100000\n"}) == 3
    assert quota({"cpu.max": "max 100000\n"}) is None
    assert quota({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}) == 2
    assert quota({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}) is None
    assert quota({}) is None
