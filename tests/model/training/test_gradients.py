"""The gradient of a batch in pieces is that of the whole batch."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cipherlens.model.config import HashNetworkConfig, HashTrainConfig, LabelConfig, TrainConfig
from cipherlens.model.data.encryption import plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.networks.network import ClassifyingNetwork
from cipherlens.model.training.distributed import ALONE
from cipherlens.model.training.gradients import Forward, Gradients
from cipherlens.model.training.loading import BatchMaker
from cipherlens.model.training.recipe import LabelRecipe
from cipherlens.model.training.recipes import recipe_of

CPU = torch.device("cpu")


def found(config: LabelConfig, data: PreparedImages, pieces: int) -> tuple[Any, dict[str, Tensor]]:
    """Return the losses of a batch of 20 pictures and the gradients of the weights."""
    config = replace(config, pieces=pieces)
    recipe = recipe_of(config, data)
    assert isinstance(recipe, LabelRecipe)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = recipe.build().train()
        assert isinstance(network, ClassifyingNetwork)
        gradients = Gradients(Forward(network, recipe, CPU, "fp32"), recipe.loss, ALONE, CPU)
        maker = BatchMaker(config=config, images=data, encryptor=plain, processes=ALONE)
        batch = maker.batch(np.arange(0, 30, 3)[:9].repeat(2), (1, 0))
        run = gradients.of_batch if pieces == 1 else gradients.in_pieces
        parts = run(batch, 5)
    slopes = {name: each.grad for name, each in network.named_parameters() if each.grad is not None}
    return parts, slopes


@pytest.mark.parametrize("pieces", [2, 5])
@pytest.mark.parametrize(
    "settings",
    [
        {"mining": "batch-all"},
        {"pairs": "contrastive", "classifier": "cosine", "angular_margin": 0.2},
        {"pairs": "none", "label_smoothing": 0.1},
    ],
)
def test_pieces_have_the_gradient_of_the_whole(
    train_config: TrainConfig, data: PreparedImages, settings: dict[str, Any], pieces: int
) -> None:
    config = replace(train_config, **settings)
    whole, expected = found(config, data, 1)
    parts, slopes = found(config, data, pieces)
    assert parts.total.item() == pytest.approx(whole.total.item(), rel=1e-5)
    assert slopes.keys() == expected.keys()
    assert any(each.abs().max() > 1e-3 for each in expected.values())
    for name, each in expected.items():
        torch.testing.assert_close(slopes[name], each, atol=1e-6, rtol=1e-4)


def test_what_is_dropped_is_dropped_again_when_a_piece_comes_again(
    train_config: TrainConfig, data: PreparedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both runs of a piece have the same outputs, or the gradient belonged to another network."""
    network = replace(train_config.network, drop_path=0.5)
    outputs: list[Tensor] = []
    forward = Forward.forward

    def watched(self: Forward, *batch: Any) -> tuple[Tensor, Tensor]:
        rows, logits = forward(self, *batch)
        outputs.append(rows.detach())
        return rows, logits

    monkeypatch.setattr(Forward, "forward", watched)
    found(replace(train_config, network=network), data, 3)
    assert len(outputs) == 2 * 6  # three pieces of either orientation
    for one, again in zip(outputs[:6], outputs[6:], strict=True):
        assert torch.equal(one, again)


def test_norms_count_a_piece_once(data: PreparedImages) -> None:
    network = HashNetworkConfig(backbone="test_resnet", bits=6, height=16, width=24)
    config = HashTrainConfig(network=network, pieces=3)
    recipe = recipe_of(config, data)
    assert isinstance(recipe, LabelRecipe)
    built = recipe.build().train()
    assert isinstance(built, ClassifyingNetwork)
    maker = BatchMaker(config=config, images=data, encryptor=plain, processes=ALONE)
    batch = maker.batch(np.flatnonzero([each.shape[0] == 16 for each in data.images]), (1, 0))
    assert len(batch.inputs) == 3
    Gradients(Forward(built, recipe, CPU, "fp32"), recipe.loss, ALONE, CPU).in_pieces(batch, 5)
    norms = [each for each in built.modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms
    assert {int(each.num_batches_tracked) for each in norms} == {3}
