"""An epoch has its own order, and finds it again."""

from training.sampler import GroupedByLength

LENGTHS = [i * 37 % 101 for i in range(400)]


def order(seed: int, epoch: int) -> list[int]:
    return list(GroupedByLength(10, LENGTHS, lambda: (seed, epoch)))


def test_each_row_comes_once_in_an_epoch():
    assert sorted(order(1, 0)) == list(range(400))


def test_an_epoch_finds_its_order_again():
    assert order(1, 2) == order(1, 2)


def test_another_epoch_and_another_seed_have_another_order():
    assert len({tuple(order(seed, epoch)) for seed in (1, 2) for epoch in (0, 1, 2)}) == 6


def test_the_order_is_asked_for_when_an_epoch_begins():
    epochs = iter([0, 1])
    sampler = GroupedByLength(10, LENGTHS, lambda: (1, next(epochs)))
    assert [list(sampler), list(sampler)] == [order(1, 0), order(1, 1)]


def test_rows_of_like_length_come_together():
    found = order(1, 0)
    spreads = [
        max(lengths) - min(lengths)
        for start in range(0, 400, 10)
        if (lengths := [LENGTHS[i] for i in found[start : start + 10]])
    ]
    assert sorted(spreads)[len(spreads) // 2] < 20
