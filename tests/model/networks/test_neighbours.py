import numpy as np
import pytest
import torch

from cipherlens.model.networks.neighbours import likely_neighbours


def blocks_in_order(height: int, width: int, side: int) -> torch.Tensor:
    """Return the blocks of a picture whose colours change smoothly, in raster order."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / 17 + y / 41), np.cos(x / 29 - y / 13), np.sin(x / 37) * np.cos(y / 31)]
    picture = torch.from_numpy(np.stack(waves))
    tiles = picture.view(3, height // side, side, width // side, side)
    return tiles.permute(1, 3, 0, 2, 4).reshape(-1, 3, side, side)


def test_the_neighbours_of_a_smooth_picture_are_found() -> None:
    blocks = blocks_in_order(64, 96, 16)
    right, below = likely_neighbours(blocks, 1)
    sharpness = torch.tensor(4.0)
    grid = torch.arange(24).view(4, 6)
    found = right(sharpness)[0].argmax(dim=1)[grid[:, :-1]]
    assert (found == grid[:, 1:]).float().mean() > 0.9
    found = below(sharpness)[0].argmax(dim=1)[grid[:-1]]
    assert (found == grid[1:]).float().mean() > 0.9


@pytest.mark.parametrize("images", [1, 3])
def test_a_weight_is_a_share_and_no_block_is_its_own_neighbour(images: int) -> None:
    blocks = torch.rand(images * 6, 3, 8, 8) * 2 - 1
    for weights in likely_neighbours(blocks, images):
        found = weights(torch.tensor(2.0))
        assert found.shape == (images, 6, 6)
        assert found.min() >= 0
        assert found.max() <= 1
        assert found.diagonal(dim1=1, dim2=2).max() < 1e-6


def test_pictures_do_not_see_each_other() -> None:
    blocks = torch.rand(12, 3, 8, 8)
    both = likely_neighbours(blocks, 2)[0](torch.tensor(2.0))
    alone = likely_neighbours(blocks[6:], 1)[0](torch.tensor(2.0))
    torch.testing.assert_close(both[1:], alone)
