"""Every engine on the same reviews: speed by shape, start, memory, and what its precision costs.

  python -m tests.benchmarks.runtimes FILE.jsonl … [--model FOLDER] [--threads 1] [--accuracy]
  python -m tests.benchmarks.runtimes FILE.jsonl … --try-int8     also what is not served

Processor seconds stand beside the clock: on a busy machine only the former compare engines.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from models import ArtifactError, Classifier
from models.engine import ENGINES, FLOAT_NETWORK, OUTPUTS, RowLogits, load_engine
from models.packing import PASS_TOKENS, most_texts, run_in_passes, unpack
from models.tokenizer import Row
from training.cli import released_folder
from training.data import read_examples
from training.evaluate import evaluate
from training.metrics import main_figure

LENGTHS = (16, 32, 64, 128, 256)
SIZES = (1, 8, 64)
Run = Callable[[Sequence[Row]], list[RowLogits]]

_START = """
import sys, time
begin, cpu = time.monotonic(), time.process_time()
from pathlib import Path
from models import Classifier
classifier = Classifier.load(Path(sys.argv[1]), engine=sys.argv[2])
classifier.check_golden()
print(f"{time.monotonic() - begin:.2f} {time.process_time() - cpu:.2f}", end=" ")
texts = [line.rstrip() for line in sys.stdin]
for i in range(0, len(texts), 7):
    classifier.run([row for text in texts[i : i + 7] for row in classifier.prepare(text).rows])
status = open("/proc/self/status").read()
print(int(status.split("VmRSS:")[1].split()[0]) // 1024)
"""


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="+", type=Path, help="labelled JSON Lines")
    parser.add_argument("--model", type=Path, default=released_folder())
    parser.add_argument("--threads", type=int, default=0, help="0 takes the CPU quota")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    parser.add_argument("--accuracy", action="store_true", help="of each engine on the data")
    parser.add_argument("--try-int8", action="store_true", help="static int8; needs nncf")
    given = parser.parse_args()
    exact = Classifier.load(given.model, engine="onnxruntime-fp32", threads=given.threads)
    texts = [json.loads(line)["text"] for file in given.data for line in file.open()]
    sample = random.Random(1).sample(texts, min(len(texts), 2000))
    rows = [row for text in sample for row in exact.prepare(text).rows]
    engines = dict(_engines(given.model, given.threads))
    if given.try_int8:
        engines |= _static_int8(given.model, rows, given.threads)
    _speed(engines, rows, given.seconds)
    _difference(engines, rows[:400])
    _starts(given.model, [name for name in engines if name in ENGINES], sample[:1000])
    if given.accuracy:
        _accuracy(given.model, [name for name in engines if name in ENGINES], given.data)


def _engines(folder: Path, threads: int) -> Iterator[tuple[str, Run]]:
    """The engines that run here; the others are named with the reason."""
    exact = Classifier.load(folder)
    for name in ENGINES:
        try:
            engine = load_engine(
                folder,
                name,
                precision=exact.manifest.precision,
                pad_id=exact.tokenizer.pad_id,
                threads=threads,
            )
        except ArtifactError as error:
            print(f"{name}: {error}")
        else:
            yield name, engine.run


def _static_int8(folder: Path, rows: Sequence[Row], threads: int) -> dict[str, Run]:
    """OpenVINO on integers, calibrated on some of the rows by NNCF: tried, not served."""
    import openvino as ov

    from models.engine_openvino import lay_out

    nncf = import_module("nncf")  # no test needs it: pip install nncf
    core = ov.Core()
    feeds = [lay_out([row], 0) for row in rows[:300]]
    network = nncf.quantize(
        core.read_model(folder / FLOAT_NETWORK),
        nncf.Dataset(feeds),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(feeds),
    )
    options = {"NUM_STREAMS": 1} | ({"INFERENCE_NUM_THREADS": threads} if threads else {})
    request = core.compile_model(network, "CPU", options).create_infer_request()

    def run_pass(part: Sequence[Row]) -> list[RowLogits]:
        outputs = request.infer(lay_out(part, 0), share_inputs=True)
        return unpack(part, [np.asarray(outputs[name]) for name in OUTPUTS])

    def run(batch: Sequence[Row]) -> list[RowLogits]:
        return run_in_passes(batch, PASS_TOKENS, most_texts(PASS_TOKENS), run_pass)

    return {"openvino int8, static": run}


def _speed(engines: dict[str, Run], rows: Sequence[Row], seconds: float) -> None:
    print(f"\n| milliseconds a batch, clock (processor) | {' | '.join(engines)} |")
    print("|---" * (len(engines) + 1) + "|")
    for length in LENGTHS:
        # Real reviews of about this length; the longest windows there are for the last.
        fitting = [row for row in rows if 0.75 * length < row.length <= length]
        for size in SIZES if fitting else ():
            batch = [fitting[i % len(fitting)] for i in range(size)]
            cells = " | ".join(_time(run, batch, seconds) for run in engines.values())
            print(f"| {size} × {length} tokens | {cells} |", flush=True)


def _time(run: Run, batch: Sequence[Row], seconds: float) -> str:
    clock: list[float] = []
    processor: list[float] = []
    run(batch)
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(clock) < 3:
        begin, cpu = time.perf_counter(), time.process_time()
        run(batch)
        clock.append(time.perf_counter() - begin)
        processor.append(time.process_time() - cpu)
    return f"{1e3 * np.median(clock):.1f} ({1e3 * min(processor):.1f})"


def _difference(engines: dict[str, Run], rows: Sequence[Row]) -> None:
    """Of the logits to full precision; and of a row alone to the same row in a batch."""
    print("\n| | document logits off by (rms) | labels that differ | alone ≠ in a batch, at most |")
    print("|---|---|---|---|")
    exact = _documents(engines["onnxruntime-fp32"], rows, 16)
    for name, run in engines.items():
        batched = _documents(run, rows, 16)
        alone = _documents(run, rows[:64], 1)
        rms = float(np.sqrt(np.mean((batched - exact) ** 2)))
        flips = float(np.mean(batched.argmax(1) != exact.argmax(1)))
        company = float(np.abs(batched[:64] - alone).max())
        print(f"| {name} | {rms:.3f} | {flips:.2%} | {company:.3f} |", flush=True)


def _documents(run: Run, rows: Sequence[Row], size: int) -> "np.ndarray[tuple[int, int]]":
    parts = [run(rows[i : i + size]) for i in range(0, len(rows), size)]
    return np.stack([output.document for part in parts for output in part])


def _starts(folder: Path, names: Sequence[str], texts: Sequence[str]) -> None:
    print("\n| | ready after s (processor) | resident MB after 1,000 reviews |\n|---|---|---|")
    lines = "\n".join(text.replace("\n", " ") for text in texts)
    for name in names:
        done = subprocess.run(
            [sys.executable, "-c", _START, str(folder), name],
            input=lines,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        clock, processor, memory = done.stdout.split()
        print(f"| {name} | {clock} ({processor}) | {memory} |", flush=True)


def _accuracy(folder: Path, names: Sequence[str], files: Sequence[Path]) -> None:
    dev = {file.name.split(".")[0]: read_examples(str(file))[0] for file in files}
    print(f"\n| main figure | {' | '.join(dev)} |\n{'|---' * (len(dev) + 1)}|")
    for name in names:
        scores, _ = evaluate(Classifier.load(folder, engine=name), dev)  # type: ignore[arg-type]
        cells = " | ".join(f"{main_figure(figures):.4f}" for figures in scores["sets"].values())
        print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
