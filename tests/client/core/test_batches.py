import itertools

from hypothesis import given
from hypothesis import strategies as st

from cipherlens.client.core.batches import batched

SIZES = st.lists(st.integers(0, 50))


@given(SIZES, st.integers(1, 40), st.integers(1, 8))
def test_batches_join_to_the_entries_and_keep_both_limits(
    sizes: list[int], max_bytes: int, max_items: int
) -> None:
    batches = list(batched(sizes, lambda size: size, max_bytes=max_bytes, max_items=max_items))
    assert [size for batch in batches for size in batch] == sizes
    assert all(1 <= len(batch) <= max_items for batch in batches)
    assert all(sum(batch) <= max_bytes for batch in batches if len(batch) > 1)


@given(SIZES, st.integers(1, 40), st.integers(1, 8))
def test_no_two_neighbours_would_fit_into_one(
    sizes: list[int], max_bytes: int, max_items: int
) -> None:
    batches = list(batched(sizes, lambda size: size, max_bytes=max_bytes, max_items=max_items))
    for batch, following in itertools.pairwise(batches):
        assert len(batch) == max_items or sum(batch) + following[0] > max_bytes


def test_entries_are_taken_only_as_they_are_needed() -> None:
    taken = []

    def entries():
        for number in range(10):
            taken.append(number)
            yield number

    batches = batched(entries(), lambda _: 1, max_bytes=100, max_items=3)
    next(batches)
    assert taken == [0, 1, 2, 3]
