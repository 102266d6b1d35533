"""The released model behaves as recorded: on each phenomenon, under changes that should not
matter, and in the direction that a change should move it.

`measure.py` says what is asked; `make record-behaviour` records what is reached, in
`minimum_rates.json`.
"""

import pytest

from models import Classifier
from tests.models.behaviour.measure import measure, measured_texts
from tests.models.behaviour.rates import Rate, load

TEXTS, RECORDED = load()
SHOWN_MISSES = 12


def named(*starts: str) -> list[str]:
    """What can fail: a minimum of nothing is recorded, and waits for a better model."""
    return [n for n, rate in RECORDED.items() if n.startswith(starts) and rate.minimum > 0]


@pytest.fixture(scope="session")
def rates(released: Classifier) -> dict[str, Rate]:
    return measure(released)


def check(rates: dict[str, Rate], name: str) -> None:
    rate, minimum = rates[name], RECORDED[name].minimum
    misses = "\n  ".join(rate.misses[:SHOWN_MISSES])
    assert rate.share >= minimum, (
        f"{name}: {rate.right} of {rate.of} right, {rate.share:.3f}; at least {minimum:.3f} is "
        f"recorded, {RECORDED[name].measured:.3f} was measured then. Among the misses:\n  {misses}"
    )


@pytest.mark.parametrize("name", named("held-out", "unseen", "function"))
def test_sentences_are_read_as_well_as_recorded(rates: dict[str, Rate], name: str):
    check(rates, name)


@pytest.mark.parametrize("name", named("invariance"))
def test_what_changes_no_meaning_changes_no_answer(rates: dict[str, Rate], name: str):
    check(rates, name)


@pytest.mark.parametrize("name", named("direction"))
def test_polarity_moves_the_way_a_change_of_meaning_points(rates: dict[str, Rate], name: str):
    check(rates, name)


def test_every_rate_has_its_recorded_minimum(rates: dict[str, Rate]):
    assert set(rates) == set(RECORDED), "run: make record-behaviour"


def test_the_recorded_rates_are_of_these_very_texts():
    assert measured_texts() == TEXTS, "sentences or probes have changed: make record-behaviour"
