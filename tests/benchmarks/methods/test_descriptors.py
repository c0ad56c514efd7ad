"""MPEG-7's descriptors on pictures whose colours are known."""

import colorsys

import numpy as np
import pytest

from benchmarks.methods.colour_structure import CELLS, colour_cells, colour_structure, quantised
from benchmarks.methods.scalable_colour import haar, scalable_colour


@pytest.mark.parametrize("cells", list(CELLS))
def test_there_are_as_many_cells_as_said_and_all_are_reached(cells) -> None:
    assert sum(hues * sums for hues, sums in CELLS[cells]) == cells
    values = np.arange(0, 256, 5, dtype=np.uint8)
    every = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(1, len(values), -1, 3)
    found = colour_cells(every, cells)
    assert found.min() == 0
    assert found.max() == cells - 1
    # Cells of a large difference reach from dark to bright, where no such colours are.
    assert len(np.unique(found)) > 0.8 * cells


def test_hues_are_those_of_the_standard_library() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, 200, 3), dtype=np.uint8)
    pixels[..., 0] //= 8  # differences above 110 in most
    found = colour_cells(pixels, 256)[0, 0]
    for pixel, cell in zip(pixels[0, 0], found, strict=True):
        if int(pixel.max()) - int(pixel.min()) >= 110:
            hue = colorsys.rgb_to_hsv(*(pixel / 255))[0]
            assert (cell - 192) // 4 == int(hue * 16)


def test_a_scattered_colour_stands_in_more_windows_than_one_in_a_heap() -> None:
    heap = np.zeros((1, 64, 64, 3), np.uint8)
    scattered = heap.copy()
    heap[0, :8, :8], scattered[0, ::8, ::8] = 255, 255
    white = colour_cells(np.full((1, 1, 1, 3), 255, np.uint8), 64)[0, 0, 0]
    found = [colour_structure(each, 64)[0] for each in (heap, scattered)]
    # Windows begin at 57x57 places, and the heap is in those of 8x8 of them.
    assert found[0][white] == quantised(np.array(64 / 57**2))
    assert found[1][white] == 255
    assert np.count_nonzero(found[0]) == 2


def test_levels_are_finer_where_shares_are_small() -> None:
    levels = quantised(np.array([0.0, 1e-6, 0.0369, 0.037, 0.0799, 0.32, 0.999999, 1.0]))
    assert levels.tolist() == [0, 1, 25, 26, 45, 116, 255, 255]


def test_sums_of_haar_are_counts_of_wider_colours() -> None:
    counts = np.random.default_rng(0).integers(0, 16, (3, 16, 4, 4)).astype(float)
    found = haar(counts)
    assert found.shape == (3, 256)
    wider = counts.reshape(3, 4, 4, 2, 2, 2, 2).sum(axis=(2, 4, 6))
    assert (found[:, :16] == wider.reshape(3, 16)).all()
    assert len(np.unique(haar(np.eye(256).reshape(256, 16, 4, 4)), axis=0)) == 256


def test_scalable_colour_of_one_colour_and_of_two() -> None:
    pixels = np.zeros((2, 8, 8, 3), np.uint8)
    pixels[1, :4] = 255
    found = scalable_colour(pixels)
    assert found[0, 0] == 15
    # Half of the pixels: the square root of a half, in fifteenths.
    assert sorted(found[1, :16])[-2:] == [11, 11]
    assert np.abs(found[:, 16:]).max() == 15
