from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cipherlens.model.config import HashNetworkConfig, HashTrainConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError
from cipherlens.model.networks.network import ClassifyingNetwork
from cipherlens.model.training.losses import RetrievalLoss
from cipherlens.model.training.recipe import LabelRecipe, Recipe
from cipherlens.model.training.recipes import recipe_of


@pytest.fixture
def hashing(data: PreparedImages) -> Recipe:
    network = HashNetworkConfig(backbone="test_resnet", bits=5, height=16, width=24)
    return recipe_of(HashTrainConfig(network=network, batch_size=8, weight_decay=0.01), data)


@pytest.fixture
def end_to_end(train_config: TrainConfig, data: PreparedImages) -> Recipe:
    return recipe_of(replace(train_config, batch_images=3, beta1=0.8), data)


def test_sizes_and_classes_come_from_the_data(hashing: Recipe, end_to_end: Recipe) -> None:
    for recipe, architecture in ((hashing, "hash"), (end_to_end, "e2e")):
        assert recipe.architecture == architecture
        fitted = recipe.network
        assert (fitted.height, fitted.width, fitted.classes) == (16, 24, 3)
        assert recipe.build().config == fitted
        assert recipe.build().classifier.out_features == 3


def test_a_hash_network_says_the_size_of_its_images(data: PreparedImages) -> None:
    config = HashTrainConfig(network=HashNetworkConfig(backbone="test_resnet"))
    with pytest.raises(DataError, match="prepared to 16x24, the hash network reads 384x384"):
        recipe_of(config, data)


def test_the_optimizers_are_the_papers(hashing: Recipe, end_to_end: Recipe) -> None:
    sgd = hashing.optimizer(hashing.build())
    assert isinstance(sgd, torch.optim.SGD)
    (group,) = sgd.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.01, 0.9, 0.01)
    assert not group["nesterov"]
    adam = end_to_end.optimizer(end_to_end.build())
    assert isinstance(adam, torch.optim.Adam)
    (group,) = adam.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-3, (0.8, 0.999), 1e-5)


def test_every_parameter_is_trained(hashing: Recipe, end_to_end: Recipe) -> None:
    for recipe in (hashing, end_to_end):
        network: nn.Module = recipe.build()
        followed = {id(each) for each in recipe.optimizer(network).param_groups[0]["params"]}
        assert followed == {id(each) for each in network.parameters()}


def test_the_batches(hashing: Recipe, end_to_end: Recipe, data: PreparedImages) -> None:
    shuffled = list(hashing.batches(data.labels, np.random.default_rng(0)))
    assert sorted(np.concatenate(shuffled)) == list(range(30))
    assert [len(batch) for batch in shuffled] == [8, 8, 7, 7]
    for batch in end_to_end.batches(data.labels, np.random.default_rng(0)):
        assert np.bincount(data.labels[batch]).tolist() == [3, 3, 3]


def test_the_losses(
    hashing: Recipe, end_to_end: Recipe, train_config: TrainConfig, data: PreparedImages
) -> None:
    generator = torch.Generator().manual_seed(0)
    outputs, logits = torch.rand(6, 8, generator=generator), torch.rand(6, 3, generator=generator)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    chosen = torch.log_softmax(logits, dim=1)[torch.arange(6), labels]
    parts = hashing.loss(outputs, logits, labels)
    assert parts.triplet is None
    torch.testing.assert_close(parts.total, -chosen.mean())
    torch.testing.assert_close(parts.cross_entropy, -chosen.mean())
    expected = RetrievalLoss(train_config)(outputs, logits, labels)
    torch.testing.assert_close(end_to_end.loss(outputs, logits, labels).total, expected.total)
    every = recipe_of(replace(train_config, mining="batch-all"), data)
    assert every.loss(outputs, logits, labels).total < expected.total


def test_a_cosine_classifier_looks_at_directions(
    train_config: TrainConfig, data: PreparedImages
) -> None:
    recipe = recipe_of(replace(train_config, classifier="cosine", scale=8.0), data)
    assert isinstance(recipe, LabelRecipe)
    network = recipe.build()
    assert isinstance(network, ClassifyingNetwork)
    outputs = torch.rand(2, 8, generator=torch.Generator().manual_seed(0))
    logits = recipe.logits(network, outputs)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(recipe.logits(network, 3 * outputs), logits)
    assert logits.abs().max() < 8


def test_codes_are_compared_by_what_lies_above_their_threshold(hashing: Recipe) -> None:
    assert isinstance(hashing, LabelRecipe)
    torch.testing.assert_close(
        hashing.compared(torch.tensor([[0.1, 0.9]])), torch.tensor([[-0.4, 0.4]])
    )
