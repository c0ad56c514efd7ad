import numpy as np
import pytest

from benchmarks.leakage.looks import (
    chi_square,
    entropy,
    neighbour_correlations,
    npcr,
    psnr,
    squared_errors,
    ssim,
    uaci,
)


def test_equal_pictures(smooth):
    assert ssim(smooth, smooth) == pytest.approx([1, 1, 1, 1])
    assert npcr(smooth, smooth) == uaci(smooth, smooth) == 0


def test_noise_is_like_nothing_and_smooth_pictures_like_their_neighbours(noise, smooth):
    assert np.abs(ssim(noise, smooth)).max() < 0.05
    assert max(np.abs(list(neighbour_correlations(noise).values()))) < 0.02
    assert min(neighbour_correlations(smooth).values()) > 0.98


def test_noise_has_the_ideal_values(noise):
    one, two = noise[:2], noise[2:]
    assert entropy(noise).min() > 7.98
    assert chi_square(noise).mean() == pytest.approx(255, abs=50)
    assert npcr(one, two) == pytest.approx(100 * 255 / 256, abs=0.2)
    assert uaci(one, two) == pytest.approx(33.46, abs=0.5)


def test_known_values():
    black = np.zeros((1, 16, 16, 3), np.uint8)
    half = black.copy()
    half[:, :8] = 255
    assert entropy(black) == [0]
    assert entropy(half) == [1]
    assert npcr(black, half) == uaci(black, half) == 50
    assert chi_square(black) == [16 * 16 * 3 * 255]
    assert squared_errors(black, half) == [255**2 / 2]


def test_psnr_of_known_errors():
    assert psnr(np.array([255.0**2, 255.0**2 / 100])) == pytest.approx([0, 20])


def test_ssim_is_that_of_the_formula_on_flat_pictures():
    """Means alone differ: (2 * 100 * 110 + c1) / (100^2 + 110^2 + c1)."""
    one, two = (np.full((1, 32, 32, 3), value, np.uint8) for value in (100, 110))
    c1 = (0.01 * 255) ** 2
    assert ssim(one, two) == pytest.approx([(22_000 + c1) / (22_100 + c1)])
