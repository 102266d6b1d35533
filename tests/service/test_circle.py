"""Which rows run next: fair, full, little padding."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest

from models.packing import most_texts
from models.tokenizer import Row
from service.circle import Circle, Job, shortest_beside


def row(length: int) -> Row:
    return Row(np.zeros(length, np.int32), np.zeros(length, np.int32), (0,))


def job(*lengths: int) -> Job:
    # The circle does not look at the future.
    return Job([row(length) for length in lengths], cast("asyncio.Future[Any]", None))


def lengths(batch: list[tuple[Job, int]]) -> list[int]:
    return [job.rows[index].length for job, index in batch]


def batches(circle: Circle, budget: int) -> Iterator[list[tuple[Job, int]]]:
    while len(circle):
        yield circle.take(budget)


both = pytest.mark.parametrize("packs", [False, True], ids=["padded", "packed"])


def test_what_shares_a_batch_is_padded_little() -> None:
    for width in range(1, 2000):
        assert width - shortest_beside(width) <= max(16, width / 4)


@both
def test_every_row_runs_exactly_once_and_no_batch_is_over_the_budget(packs: bool) -> None:
    circle = Circle(packs=packs)
    generator = np.random.default_rng(0)
    jobs = [job(*generator.integers(1, 300, generator.integers(1, 40))) for _ in range(20)]
    for one in jobs:
        circle.add(one)
    assert circle.tokens == sum(r.length for j in jobs for r in j.rows)
    seen = []
    for batch in batches(circle, 512):
        seen += batch
        cost = sum(lengths(batch)) if packs else len(batch) * max(lengths(batch))
        assert cost <= 512
        assert packs or min(lengths(batch)) >= shortest_beside(max(lengths(batch)))
    assert len(seen) == len(set(seen)) == sum(len(j.rows) for j in jobs)
    assert circle.tokens == 0


@both
def test_a_row_longer_than_the_budget_runs_alone(packs: bool) -> None:
    circle = Circle(packs=packs)
    circle.add(job(500, 500))
    assert [lengths(batch) for batch in batches(circle, 100)] == [[500], [500]]


@both
def test_a_request_of_many_texts_shares_every_batch_with_small_ones(packs: bool) -> None:
    circle = Circle(packs=packs)
    big = job(*[20] * 256)
    small = [job(20) for _ in range(5)]
    for one in (big, *small):
        circle.add(one)
    first = circle.take(20 * 16)
    assert {j for j, _ in first} == {big, *small}
    assert len(first) == 16


@both
def test_big_requests_that_came_together_end_one_after_the_other(packs: bool) -> None:
    circle = Circle(packs=packs)
    jobs = [job(*[20] * 60) for _ in range(4)]
    for one in jobs:
        circle.add(one)
    ends: dict[Job, int] = {}
    for turn, batch in enumerate(batches(circle, 20 * 12)):
        ends |= {owner: turn for owner, _ in batch}
    assert sorted(ends.values()) == [ends[one] for one in jobs]
    assert ends[jobs[0]] < 8
    assert ends[jobs[3]] == 19


@both
def test_a_big_request_gets_on_while_small_ones_come_without_end(packs: bool) -> None:
    circle = Circle(packs=packs)
    big = job(*[20] * 5)
    circle.add(big)
    for _ in range(200):
        for _ in range(12):
            circle.add(job(20))
        circle.take(20 * 12)
    assert not big.waiting


@both
def test_a_small_request_of_another_length_waits_for_one_turn_of_each_other(packs: bool) -> None:
    circle = Circle(packs=packs)
    circle.add(job(*[200] * 256))
    small = job(10)
    circle.add(small)
    turns = [[j for j, _ in circle.take(1024)] for _ in range(2)]
    assert small in turns[0 if packs else 1]


@both
def test_who_leaves_takes_its_rows_along(packs: bool) -> None:
    circle = Circle(packs=packs)
    gone, stays = job(20, 20, 100), job(20)
    circle.add(gone)
    circle.add(stays)
    circle.remove(gone)
    circle.remove(gone)
    assert circle.tokens == 20
    assert [{j for j, _ in batch} for batch in batches(circle, 1024)] == [{stays}]


@both
def test_the_oldest_request_is_in_the_next_batch_however_long_the_others_are(packs: bool) -> None:
    circle = Circle(packs=packs)
    jobs = [job(length) for length in (10, 300, 60, 12, 290, 64)]
    for one in jobs:
        circle.add(one)
    for oldest in jobs:
        if oldest.waiting:
            assert oldest in {j for j, _ in circle.take(1024)}
    assert len(circle) == 0


@both
def test_rows_of_one_request_run_longest_first_among_those_that_suit(packs: bool) -> None:
    circle = Circle(packs=packs)
    circle.add(job(20, 200, 21, 190, 22))
    found = [lengths(batch) for batch in batches(circle, 400)]
    assert found == [[200, 190], [22, 21, 20]]


def test_an_engine_that_packs_gets_batches_that_are_nearly_full() -> None:
    circle = Circle(packs=True)
    generator = np.random.default_rng(0)
    jobs = [job(*generator.integers(4, 120, 8)) for _ in range(64)]
    total = sum(r.length for j in jobs for r in j.rows)
    for one in jobs:
        circle.add(one)
    seen = list(batches(circle, 256))
    rows = [pair for batch in seen for pair in batch]
    assert len(rows) == len(set(rows)) == 64 * 8
    assert all(sum(lengths(batch)) <= 256 for batch in seen)
    assert total / (256 * len(seen)) > 0.93


def test_lengths_that_differ_share_a_packed_batch_and_many_requests_do() -> None:
    circle = Circle(packs=True)
    big, small = job(*[60] * 100), [job(10) for _ in range(5)]
    for one in (big, *small):
        circle.add(one)
    assert {j for j, _ in circle.take(256)} == {big, *small}
    # Behind them the big one has the engine for itself.
    assert lengths(circle.take(256)) == [60] * 4


def test_a_packed_batch_starts_with_the_oldest_request_though_its_row_is_over_the_budget() -> None:
    circle = Circle(packs=True)
    long, short = job(300), job(10)
    circle.add(long)
    circle.add(short)
    assert [lengths(batch) for batch in batches(circle, 256)] == [[300], [10]]


def test_a_packed_batch_holds_no_more_texts_than_a_pass_has_room_for() -> None:
    circle = Circle(packs=True)
    circle.add(job(*[3] * 100))
    assert [len(batch) for batch in batches(circle, 256)] == [32, 32, 32, 4]
    assert most_texts(256) == 32
