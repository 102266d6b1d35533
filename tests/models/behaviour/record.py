"""Record what the released model reaches as the minimum of the behaviour tests.

    make record-behaviour
    make record-behaviour ARGS=--lower

Run it for a new model or new sentences. Minima rise to what the model reaches. If a rate has
fallen below its minimum, nothing is written and the exit code is 1, unless --lower says that
the lower rates are meant.
"""

import argparse
import sys
from pathlib import Path

from models import Classifier
from tests.models.behaviour.measure import measure, measured_texts
from tests.models.behaviour.rates import MINIMA, load, renew, save
from training.encoders import RELEASED


def main() -> int:
    parser = argparse.ArgumentParser(prog="make record-behaviour", description=__doc__)
    parser.add_argument("--lower", action="store_true", help="Take lower rates as well.")
    parser.add_argument("--model", type=Path, default=RELEASED, help="Another model's folder.")
    options = parser.parse_args()
    classifier = Classifier.load(options.model)
    before = load()[1] if MINIMA.is_file() else {}
    after, fallen = renew(before, measure(classifier), lower=options.lower)
    for name, rate in after.items():
        old = f"{before[name].minimum:.3f}" if name in before else "new"
        print(
            f"{name:<72}{rate.texts:>5} texts{rate.measured:>7.3f}   {old:>5} → {rate.minimum:.3f}"
        )
    if fallen:
        print("\nFallen below the recorded minimum:", *fallen, sep="\n  ", file=sys.stderr)
    if fallen and not options.lower:
        print("Nothing is recorded. If this is meant: ARGS=--lower", file=sys.stderr)
        return 1
    manifest = classifier.manifest
    save(MINIMA, f"{manifest.name} {manifest.version}", measured_texts(), after)
    print(f"\nrecorded: {MINIMA}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
