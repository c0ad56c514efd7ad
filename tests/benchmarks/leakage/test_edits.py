import numpy as np
import pytest

from benchmarks.leakage.edits import edits


@pytest.mark.parametrize("name", edits(16))
def test_an_edit_keeps_the_shape_and_the_original(name, smooth):
    before = smooth[0].copy()
    edited = edits(16)[name](smooth[0])
    assert edited.shape == before.shape
    assert edited.dtype == np.uint8
    assert (smooth[0] == before).all()
    assert (edited == before).all() == (name == "the same")


def test_one_pixel_is_one_pixel(noise):
    changed = edits(16)["one pixel changed"](noise[0])
    assert (changed != noise[0]).any(axis=2).sum() == 1


def test_moved_by_a_block_keeps_the_grid(noise):
    assert (edits(16)["moved by a block"](noise[0])[:, :80] == noise[0][:, 16:]).all()
