"""A small real training through all stages, as a person would run it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2 as httpx
import pytest
import torch
from safetensors.torch import load_file, save_file

from models import Classifier
from models.artifact import load_manifest
from models.ngrams import NGRAMS
from tests.conftest import RELEASED
from tests.service.support import Process
from training.config import RECIPES, Recipe, Source, load_recipe
from training.data import read_examples
from training.mixture import read_mixture
from training.options import recipe_from
from training.train import train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED = RECIPES.parent / "seed"


def danshi(
    *arguments: str, folder: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1"} | variables,
        timeout=800,
    )


def sample(source: Path, target: Path, count: int) -> Path:
    target.write_text("\n".join(source.read_text("utf-8").splitlines()[:count]) + "\n", "utf-8")
    return target


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe over a few of the sentences that ship, and a table of a user's own."""
    folder = tmp_path_factory.mktemp("data")
    sample(SEED / "train.jsonl", folder / "train.jsonl", 96)
    sample(SEED / "heldout.jsonl", folder / "dev.jsonl", 60)
    (folder / "small.toml").write_text(
        'encoder = "released"\nepochs = 1.0\nbatch_size = 16\nlearning_rate = 1e-5\n'
        "composed = 0\nadversarial = 0.5\n"
        '[[sources]]\ntrain = "train.jsonl"\ndev = "dev.jsonl"\nname = "seed"\n'
    )
    rows = [f"第{i}次买了，{'很满意' if i % 2 else '太失望了'},{i % 2}" for i in range(40)]
    rows = [row.replace("，", "、") for row in rows]
    (folder / "mine.csv").write_text("评论,标签\n" + "\n".join(rows) + "\n,1\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def run_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`danshi train` with a recipe and a user's CSV on top of it."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    done = danshi(
        "train", "--recipe", str(data / "small.toml"), "--data", str(data / "mine.csv"),
        "--text-column", "text", "--output", str(folder),
    )  # fmt: skip
    # The CSV names its columns otherwise: a sentence says so, before anything is trained.
    assert done.returncode == 1
    assert "no column 'text', name it with --text-column" in done.stderr
    (data / "mine.csv").write_text(
        (data / "mine.csv").read_text("utf-8").replace("评论,标签", "text,label"), "utf-8"
    )
    done = danshi(
        "train", "--recipe", str(data / "small.toml"), "--data", str(data / "mine.csv"),
        "--label-map", "1=positive", "--label-map", "0=negative", "--output", str(folder),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "mine.csv:42: the text is blank" in done.stderr
    assert "41 rows read, 40 used" in done.stderr
    assert f"candidate: {folder / 'candidate'}" in done.stdout
    return folder


def test_a_training_ends_in_a_whole_candidate(run_folder: Path):
    classifier = Classifier.load(run_folder / "candidate")
    classifier.check_golden()
    manifest = classifier.manifest
    assert manifest.precision == "int8"
    assert manifest.training["seed"] == 1
    assert set(manifest.scores["sets"]) == {"seed", "mine"}
    assert [entry["name"] for entry in manifest.data] == ["seed", "mine"]
    assert manifest.encoder["name"] == "m3e-small"
    assert set(manifest.temperatures) == {"document", "leaning", "clause", "neutral_clause"}
    assert set(manifest.ngrams) == {"document", "leaning", "clause"}
    assert NGRAMS in manifest.files


def test_a_training_ends_in_a_report_with_plots(run_folder: Path):
    report = run_folder / "report"
    text = (report / "report.md").read_text("utf-8")
    scores = json.loads((report / "report.json").read_text("utf-8"))
    assert "| seed |" in text
    assert "| phenomenon " in text
    assert {"seed", "mine"} == set(scores["sets"])
    for picture in ("sources.png", "reliability.png", "confusion_seed.png"):
        assert (report / picture).read_bytes().startswith(b"\x89PNG")
        assert f"({picture})" in text
    assert list(run_folder.glob("runs/*/events*")) or list(run_folder.rglob("events.out*"))


def test_the_service_serves_a_candidate(run_folder: Path):
    process = Process(DANSHI_MODEL_DIR=str(run_folder / "candidate"))
    try:
        with process.client() as client:
            answer = client.post("/v1/classify", json={"text": "这部电影不坏，但也不算特别好。"})
            assert answer.status_code == httpx.codes.OK
            version = load_manifest(run_folder / "candidate").version
            assert answer.json()["model"] == {"name": "danshi-zh", "version": version}
    finally:
        process.close()


def test_a_candidate_is_promoted_and_rolled_back(run_folder: Path, tmp_path: Path):
    released = Path(shutil.copytree(RELEASED, tmp_path / "released"))
    candidate = run_folder / "candidate"
    before, after = load_manifest(released).version, load_manifest(candidate).version
    done = danshi("promote", str(candidate), "--released", str(released), "--force")
    assert done.returncode == 0, done.stderr
    assert "candidate" in done.stdout
    assert "mean" in done.stdout
    assert load_manifest(released).version == after
    Classifier.load(released)

    done = danshi("rollback", "--released", str(released))
    assert done.returncode == 0, done.stderr
    assert load_manifest(released).version == before
    again = danshi("rollback", "--released", str(released))
    assert again.returncode == 0
    assert load_manifest(released).version == after
    never = danshi("rollback", "--released", str(tmp_path / "other"))
    assert never.returncode == 1
    assert "there is no earlier model" in never.stderr


def test_a_worse_candidate_stays_a_candidate(run_folder: Path, tmp_path: Path):
    released = Path(shutil.copytree(RELEASED, tmp_path / "released"))
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    # Worse by construction: a manifest whose clause and document scores are all noise.
    network = run / "network" / "model.safetensors"
    weights = load_file(network)
    weights["document_logits.weight"].mul_(-1)
    weights["leaning_logit.weight"].mul_(-1)
    save_file(weights, network, metadata={"format": "pt"})
    made = danshi("export", str(run), "--precision", "fp32")
    assert made.returncode == 0, made.stderr[-2000:]
    done = danshi("promote", str(run / "candidate"), "--released", str(released))
    assert done.returncode == 1
    assert "the candidate is worse by" in done.stderr
    assert load_manifest(released).version == load_manifest(RELEASED).version


def test_a_run_that_was_cut_off_before_its_ngrams_is_no_finished_one(
    run_folder: Path, tmp_path: Path
):
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    (run / "network" / NGRAMS).unlink()
    shutil.rmtree(run / "candidate")
    made = danshi("export", str(run))
    assert made.returncode == 1
    assert "finish it with --resume" in made.stderr
    done = danshi("train", "--resume", "--output", str(run))
    assert done.returncode == 0, done.stderr[-2000:]
    assert NGRAMS in load_manifest(run / "candidate").files


def test_a_candidate_is_calibrated_again_on_what_its_run_held_out(run_folder: Path, tmp_path: Path):
    run = Path(shutil.copytree(run_folder, tmp_path / "run"))
    done = danshi("calibrate", ".", folder=run / "candidate")
    assert done.returncode == 0, done.stderr[-2000:]
    before, after = (load_manifest(f / "candidate") for f in (run_folder, run))
    assert set(after.scores["sets"]) == {"seed", "mine"}
    assert after.temperatures == pytest.approx(before.temperatures, rel=1e-3)
    assert not (run / "candidate.partial").exists()


def test_a_run_does_not_go_on_with_other_options(run_folder: Path):
    done = danshi("train", "--resume", "--output", str(run_folder), "--epochs", "3")
    assert done.returncode == 1
    assert "was begun with epochs 1.0, not 3.0" in done.stderr


def test_evaluate_prints_a_table_by_phenomenon(data: Path, tmp_path: Path):
    done = danshi(
        "evaluate", "--data", str(data / "dev.jsonl"), "--report", str(tmp_path / "report")
    )
    assert done.returncode == 0, done.stderr
    heads = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    columns = ["phenomenon", "texts", "label", "side", "clauses", "turns right", "false turns"]
    assert ["", *columns, ""] in heads
    assert (tmp_path / "report" / "report.md").is_file()
    assert (tmp_path / "report" / "mistakes.jsonl").is_file()


def test_a_resumed_training_ends_where_an_unbroken_one_does(data: Path, tmp_path: Path):
    recipe = Recipe(
        sources=(Source(str(data / "train.jsonl"), str(data / "dev.jsonl"), "seed"),),
        epochs=2.0,
        batch_size=24,
        adversarial=0.5,
    )
    mixture = read_mixture(recipe)
    whole = train(recipe, mixture, tmp_path / "a", bf16=False, save_steps=3)
    # As if it had been stopped in its second epoch, of four steps each.
    shutil.copytree(tmp_path / "a" / "checkpoint-6", tmp_path / "b" / "checkpoint-6")
    resumed = train(recipe, mixture, tmp_path / "b", bf16=False, save_steps=3, resume=True)
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, resumed))
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)


def test_ctrl_c_ends_a_training_without_a_traceback(data: Path, tmp_path: Path):
    command = [sys.executable, "-m", "service", "train", "--recipe", str(data / "small.toml")]
    command += ["--epochs", "500", "--output", str(tmp_path / "run")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    assert process.stderr is not None
    for line in process.stderr:
        if "it/s" in line or "s/it" in line or time.monotonic() > deadline:
            break
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr


def test_two_processes_train_together(data: Path, tmp_path: Path):
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            "-m", "service", "train", "--recipe", str(data / "small.toml"),
            "--output", str(tmp_path / "run"),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("candidate: ") == 1
    about = json.loads((tmp_path / "run" / "network" / "training.json").read_text())
    assert about["processes"] == 2
    Classifier.load(tmp_path / "run" / "candidate").check_golden()


def test_a_users_file_is_read_three_times_beside_the_shipped_sentences():
    shipped, users = recipe_from(None, None, ["mine.csv"]).sources
    assert (shipped.share, users.share) == (1.0, 3.0)
    *_, named = recipe_from(RECIPES / "seed.toml", None, ["mine.csv"]).sources
    assert named.share == 1.0


def test_the_recipe_that_ships_holds_what_it_promises():
    recipe = load_recipe(RECIPES / "seed.toml")
    (source,) = recipe.sources
    train_part, _ = read_examples(source.train)
    assert source.dev is not None
    dev_part, _ = read_examples(source.dev)
    assert len(train_part) >= 300
    assert {e.label for e in train_part} == {"positive", "negative", "neutral", "mixed"}
    assert len({e.meta["domain"] for e in train_part}) >= 12
    assert all(e.spans for e in train_part + dev_part)
    groups = {e.meta["group"] for e in train_part} & {e.meta["group"] for e in dev_part}
    assert not groups
