import numpy as np
import pytest

from benchmarks.leakage.blocks import blocks_of
from benchmarks.leakage.borders import costs, rough_blocks
from benchmarks.leakage.jigsaw import solve
from benchmarks.leakage.owner import Owner
from cipherlens.crypto import CipherParameters, Scope

ROWS, COLUMNS = 4, 6


def cipher_image(picture, substituted, seed=0):
    parameters = CipherParameters(
        height=64, width=96, block_size=16, substituted_blocks=substituted
    )
    seen, truth = Owner(parameters, seed).encrypt(picture[None])
    return blocks_of(seen, 16)[0], truth


def nothing_substituted(count=24):
    return np.zeros(count, dtype=bool)


@pytest.mark.parametrize("number", range(4))
def test_a_smooth_picture_whose_blocks_only_moved_is_put_together(smooth, number):
    blocks, truth = cipher_image(smooth[number], 0)
    grid = solve(costs(blocks[None], nothing_substituted()), ROWS, COLUMNS)
    assert (truth.permutation[0][grid].ravel() == np.arange(24)).all()


def test_a_picture_of_large_flat_parts_is_put_together_under_one_table():
    """A staircase of colours: across every border some pixels are equal, and each block differs."""
    down, across = np.mgrid[0:64, 0:96]
    bands = [(down * 3 + across * 2) // 9, (down * 2 + 7 * across // 2) // 7, (down + across) // 5]
    picture = np.stack(bands, axis=2).astype(np.uint8)
    blocks, truth = cipher_image(picture, 24)
    grid = solve(costs(blocks[None], ~nothing_substituted()), ROWS, COLUMNS)
    assert (truth.permutation[0][grid].ravel() == np.arange(24)).mean() > 0.9


def test_noise_cannot_be_put_together(noise):
    blocks, truth = cipher_image(noise[0], 0)
    grid = solve(costs(blocks[None], nothing_substituted()), ROWS, COLUMNS)
    assert sorted(grid.ravel()) == list(range(24))
    assert (truth.permutation[0][grid].ravel() == np.arange(24)).mean() < 0.4


def test_substituted_blocks_of_a_smooth_picture_are_rough(smooth):
    blocks, truth = cipher_image(smooth[0], 6)
    assert set(np.flatnonzero(rough_blocks(blocks[None], 6))) == set(truth.selection[0])


def test_a_border_that_goes_on_costs_nothing_and_no_block_fits_itself():
    ramp = np.broadcast_to(np.arange(96, dtype=np.uint8)[None, :, None], (64, 96, 3))
    blocks = blocks_of(ramp[None], 16)[0]
    found = costs(blocks[None], nothing_substituted())
    assert found[0, 0, 1] == pytest.approx(0)
    assert found[0, 0, 1] < found[0, 0, 2]
    assert np.isinf(found[:, 3, 3]).all()


def test_several_pictures_of_one_key_tell_what_one_does_not(noise, smooth):
    """Each picture is noise but for a half: only together they have all borders."""
    left, right = noise[0].copy(), noise[1].copy()
    left[:, :56], right[:, 40:] = smooth[0][:, :56], smooth[1][:, 40:]
    parameters = CipherParameters(
        height=64, width=96, block_size=16, substituted_blocks=0, scope=Scope.COLLECTION
    )
    seen, truth = Owner(parameters, 0).encrypt(np.stack([left, right]))
    blocks = blocks_of(seen, 16)

    def in_place(pictures):
        grid = solve(costs(pictures, nothing_substituted()), ROWS, COLUMNS)
        return (truth.permutation[0][grid].ravel() == np.arange(24)).mean()

    assert in_place(blocks) == 1
    assert max(in_place(blocks[:1]), in_place(blocks[1:])) < 1


def test_plain_and_substituted_blocks_say_nothing_of_each_other(smooth):
    blocks = blocks_of(smooth[:1], 16)[0]
    mixed = nothing_substituted()
    mixed[:12] = True
    found = costs(blocks[None], mixed)
    assert len(np.unique(found[:, :12, 12:])) == 1
    assert found[:, 12:, 12:].min() < found[0, 0, 12]
