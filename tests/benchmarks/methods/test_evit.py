import numpy as np
import pytest
import torch

from benchmarks.methods.draws import Draws
from benchmarks.methods.encrypted_jpeg import coefficients, compressed
from benchmarks.methods.evit import Encoder, EViT, contrast, view
from benchmarks.methods.huffman import dc_differences, lengths


@pytest.fixture
def ranker(make_pictures):
    return EViT(epochs=1).fit(make_pictures(64, 96, 9), Draws(0))


def test_what_the_server_reads_is_the_same_of_the_plain_file(ranker, pixels, generator) -> None:
    sent = ranker.encrypt(pixels, generator)
    plain = compressed(pixels, 75)
    assert (coefficients(sent) != coefficients(plain)).any()
    for one, other in zip(ranker.observed(sent), ranker.observed(plain), strict=True):
        assert torch.equal(one, other)
    sequences, codes = ranker.observed(sent)
    assert sequences.shape == (6, 96, 128)
    assert codes.shape == (6, 522)
    held = coefficients(plain)
    assert (sequences[2, :, 1:64].numpy() == lengths(held[2, 0, :, 1:])).all()
    assert (sequences[2, :, 64].numpy() == lengths(dc_differences(held)[2, 1])).all()


def test_a_view_has_the_same_blocks_in_another_order() -> None:
    torch.manual_seed(0)
    sequences = torch.arange(400.0).reshape(100, 4, 1)
    found = view(sequences)
    assert torch.equal(found.sort(dim=1).values, sequences)
    changed = (found != sequences).any(dim=2).any(dim=1).float().mean()
    # Three in ten are exchanged, and three in ten turned; a quarter of each is as it was.
    assert 0.2 < changed < 0.6


def test_training_draws_views_of_a_picture_together() -> None:
    torch.manual_seed(0)
    sequences, codes = torch.rand(32, 6, 128) * 5, torch.rand(32, 522)
    encoder = Encoder(6)
    before = _told_apart(encoder, sequences, codes)
    contrast(encoder, sequences, codes, 15)
    assert _told_apart(encoder, sequences, codes) > before + 0.05


def test_vectors_are_unit_vectors_and_the_same_for_the_same_seed(
    ranker, make_pictures, pixels, generator
) -> None:
    sent = ranker.encrypt(pixels, generator)
    found = ranker.encode(sent)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    again = EViT(epochs=1).fit(make_pictures(64, 96, 9), Draws(0)).encode(sent)
    assert np.allclose(found, again, atol=1e-5)


def _told_apart(encoder, sequences, codes) -> float:
    """Return how much nearer a picture's own view is than another picture's."""
    encoder.eval()
    with torch.no_grad():
        one, other = (encoder(view(sequences), codes) for _ in range(2))
    cosines = one @ other.T
    mean_of_others = (cosines.sum() - cosines.trace()) / (len(cosines) * (len(cosines) - 1))
    return float(cosines.diagonal().mean() - mean_of_others)
