import numpy as np
import pytest

from benchmarks.leakage.known_pictures import chosen_picture, learn, open_pictures
from benchmarks.leakage.owner import Owner
from cipherlens.crypto import CipherParameters, Scope


def owner(block_size, substituted, scope=Scope.COLLECTION, seed=0):
    parameters = CipherParameters(
        height=64,
        width=96,
        block_size=block_size,
        substituted_blocks=substituted,
        scope=scope,
    )
    return Owner(parameters, seed)


@pytest.mark.parametrize(
    ("block_size", "substituted"), [(8, 0), (8, 24), (8, 96), (16, 6), (16, 24)]
)
def test_one_chosen_picture_tells_all_sequences(block_size, substituted, noise):
    of = owner(block_size, substituted)
    chosen = chosen_picture(64, 96, block_size)[None]
    cipher, truth = of.encrypt(chosen)
    learned = learn(chosen, cipher, block_size)
    assert learned.sure.all()
    assert (learned.origins == truth.permutation[0]).all()
    assert set(np.flatnonzero(learned.substituted)) == set(truth.selection[0])
    if substituted:
        assert (learned.tables == truth.tables[0]).all()
    opened, known = open_pictures(learned, of.seen(noise), block_size)
    assert known.all()
    assert (opened == noise).all()


def test_a_chosen_picture_opens_nothing_under_fresh_keys(noise):
    of = owner(16, 6, Scope.IMAGE)
    chosen = chosen_picture(64, 96, 16)[None]
    learned = learn(chosen, of.seen(chosen), 16)
    opened, _ = open_pictures(learned, of.seen(noise), 16)
    assert (opened == noise).all(axis=3).mean() < 0.2  # by chance 1 block in 24 is at its place


def test_known_pictures_of_few_values_leave_the_other_entries_open(noise):
    of = owner(16, 24)
    dark = noise // 4
    cipher, truth = of.encrypt(dark)
    learned = learn(dark, cipher, 16)
    assert (learned.origins == truth.permutation[0]).all()
    assert (learned.tables[:, :64] == truth.tables[0][:, :64]).all()
    assert (learned.tables[:, 64:] == -1).all()
    opened, known = open_pictures(learned, of.seen(noise), 16)
    assert (known == (noise < 64)).all()
    assert (opened[known] == noise[known]).all()
    assert (opened[~known] == 128).all()


def test_blocks_that_look_alike_are_guessed_and_said_to_be(noise):
    """Half of the picture is white: of such blocks nothing tells which came where."""
    known = noise[:1].copy()
    known[:, :32] = 255
    of = owner(16, 6)
    cipher, truth = of.encrypt(known)
    learned = learn(known, cipher, 16)
    assert learned.sure.sum() == 12
    assert (learned.origins[learned.sure] == truth.permutation[0][learned.sure]).all()
    assert sorted(learned.origins) == list(range(24))
    assert set(np.flatnonzero(learned.substituted)) == set(truth.selection[0])


def test_a_flat_block_is_told_by_the_tables_that_others_show():
    """Two blocks of one colour have one pattern; others show what their colours become."""
    picture = np.random.default_rng(1).integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    picture[:, :16, :16] = 10
    picture[:, :16, 16:32] = 20
    of = owner(16, 24)
    cipher, truth = of.encrypt(picture)
    learned = learn(picture, cipher, 16)
    assert learned.sure.all()
    assert (learned.origins == truth.permutation[0]).all()
