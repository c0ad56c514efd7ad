import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from cipherlens.model.networks.block_set import levels_of
from cipherlens.model.networks.match_sketch import MatchSketch
from cipherlens.model.networks.network import to_input
from tests.model.networks.test_block_set import encrypted, pictures


@pytest.fixture(scope="module")
def sketch() -> MatchSketch:
    return MatchSketch(16, 256)


def sketched(sketch: MatchSketch, pixels: np.ndarray) -> torch.Tensor:
    return normalize(sketch(levels_of(to_input(pixels, torch.device("cpu")))))


@pytest.mark.parametrize("substituted", [0, 6, 18, 24])
def test_two_keys_give_one_picture_one_vector(sketch: MatchSketch, substituted: int) -> None:
    """Also where every block is substituted."""
    plain = pictures(5)
    one, other = (sketched(sketch, encrypted(plain, substituted, seed)) for seed in (1, 2))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_other_pictures_are_far(sketch: MatchSketch) -> None:
    found = sketched(sketch, pictures(12))
    cosines = (found @ found.T)[~torch.eye(12, dtype=torch.bool)]
    assert cosines.abs().max() < 0.5


def test_the_cosine_is_about_the_share_of_common_blocks(sketch: MatchSketch) -> None:
    one, other = pictures(2)
    half = one.copy()
    half[:, 48:] = other[:, 48:]
    pair = sketched(sketch, np.stack([one, half]))
    assert 0.3 < float(pair[0] @ pair[1]) < 0.7


def test_the_projection_is_the_same_every_time() -> None:
    first, second = MatchSketch(8, 16), MatchSketch(8, 16)
    assert torch.equal(first.projection, second.projection)
    assert torch.equal(first.phase, second.phase)
