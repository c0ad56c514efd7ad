import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.model.training.sampling import balanced_batches, shuffled_batches


@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    classes=st.integers(1, 10),
    images=st.integers(1, 6),
    seed=st.integers(0, 100),
)
def test_each_batch_is_balanced(counts: list[int], classes: int, images: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts)) * 3, counts)
    batches = list(balanced_batches(labels, classes, images, np.random.default_rng(seed)))
    used = min(classes, len(counts))
    for batch in batches:
        _, found = np.unique(labels[batch], return_counts=True)
        assert found.tolist() == [images] * used
    assert len(batches) == -(-len(labels) // (used * images))


def test_a_class_gives_each_image_before_it_repeats_one() -> None:
    labels = np.repeat([0, 1], 6)
    batches = np.concatenate(list(balanced_batches(labels, 2, 3, np.random.default_rng(0))))
    assert sorted(batches) == list(range(12))


def test_the_seed_decides() -> None:
    labels = np.repeat(np.arange(5), 7)

    def drawn(seed: int) -> list[list[int]]:
        generator = np.random.default_rng(seed)
        return [each.tolist() for each in balanced_batches(labels, 3, 4, generator)]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@given(count=st.integers(1, 200), size=st.integers(2, 70), seed=st.integers(0, 100))
def test_shuffled_batches_take_each_image_once(count: int, size: int, seed: int) -> None:
    batches = list(shuffled_batches(count, size, np.random.default_rng(seed)))
    assert sorted(np.concatenate(batches)) == list(range(count))
    lengths = [len(batch) for batch in batches]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1
    assert len(batches) == -(-count // size)


def test_the_generator_decides_how_batches_are_shuffled() -> None:
    one, again, other = (
        np.concatenate(list(shuffled_batches(50, 8, np.random.default_rng(seed))))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
