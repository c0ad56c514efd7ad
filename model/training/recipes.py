"""The trainings of the two papers; `recipe_of` chooses among all, `train` has the loop."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

from cipherlens.model.config import (
    AnyTrainConfig,
    BlockTrainConfig,
    DistillConfig,
    HashTrainConfig,
    TrainConfig,
)
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.networks.network_config import HashNetworkConfig, NetworkConfig
from cipherlens.model.training.block_recipes import BlockRecipe, DistillRecipe
from cipherlens.model.training.losses import RetrievalLoss
from cipherlens.model.training.recipe import LabelRecipe, Recipe, ShuffledRecipe
from cipherlens.model.training.sampling import balanced_batches


class EndToEndRecipe(LabelRecipe):
    """The E2E paper, section II-B: triplets and classes, Adam, balanced batches, cosine mAP."""

    architecture = "e2e"
    network: NetworkConfig
    _config: TrainConfig

    def _random(self) -> EndToEndNetwork:
        return EndToEndNetwork(self.network)

    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return Adam; the paper's momentum is its beta1."""
        return Adam(
            network.parameters(),
            lr=self._config.learning_rate,
            betas=(self._config.beta1, 0.999),
            weight_decay=self._config.weight_decay,
        )

    def batches(
        self, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        """Yield batches of as many images of each of several classes."""
        return balanced_batches(
            labels, self._config.batch_classes, self._config.batch_images, generator
        )


class HashRecipe(ShuffledRecipe, LabelRecipe):
    """DLHEIR, section 3.3: classes from the activations, SGD, shuffled batches, mAP of codes."""

    architecture = "hash"
    network: HashNetworkConfig
    _config: HashTrainConfig

    def __init__(self, config: HashTrainConfig, data: PreparedImages) -> None:
        """Fit the settings to the data's classes.

        Raises:
            DataError: if the data is prepared to another size than the network's.
        """
        network = config.network
        if (data.height, data.width) != (network.height, network.width):
            raise DataError(
                f"the data is prepared to {data.height}x{data.width}, "
                f"the hash network reads {network.height}x{network.width}"
            )
        self._config, self._loss = config, RetrievalLoss(config)
        self.network = replace(network, classes=len(data.class_names))

    def _random(self) -> HashNetwork:
        return HashNetwork(self.network)

    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return SGD with momentum."""
        return SGD(
            network.parameters(),
            lr=self._config.learning_rate,
            momentum=self._config.momentum,
            weight_decay=self._config.weight_decay,
        )

    def compared(self, outputs: Tensor) -> Tensor:
        """Return how far activations lie above or below the threshold of their bits."""
        return outputs - self.network.threshold


def recipe_of(config: AnyTrainConfig, data: PreparedImages) -> Recipe:
    """Return the recipe of the kind of network that the settings describe.

    Raises:
        DataError: if a hash network is to read images of another size than the data's.
    """
    if isinstance(config, HashTrainConfig):
        return HashRecipe(config, data)
    if isinstance(config, DistillConfig):
        return DistillRecipe(config, data)
    if isinstance(config, BlockTrainConfig):
        return BlockRecipe(config, data)
    return EndToEndRecipe(config, data)
