"""What the kinds of training may differ in: network, optimizer, batches, loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from cipherlens.model.config import (
    BlockTrainConfig,
    DistillConfig,
    HashTrainConfig,
    LabelConfig,
    LoopConfig,
    TrainConfig,
)
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.networks.network import ClassifyingNetwork, RetrievalNetwork
from cipherlens.model.networks.network_config import (
    BlockSetConfig,
    HashNetworkConfig,
    NetworkConfig,
)
from cipherlens.model.networks.pretrained import origin, start_backbone
from cipherlens.model.training.losses import LossParts, RetrievalLoss, cosine_logits
from cipherlens.model.training.sampling import shuffled_batches


class Recipe(ABC):
    """Network, optimizer, batches and loss of one kind of training."""

    architecture: ClassVar[str]
    """The kind of network, as a checkpoint names it."""

    network: NetworkConfig | BlockSetConfig | HashNetworkConfig
    """The settings of the network, with what it takes from the data."""

    _config: LoopConfig

    def build(self) -> RetrievalNetwork:
        """Return the network as a training starts with it.

        What is random comes from torch's global generator.

        Raises:
            PretrainedError: if the weights that it is to start from cannot be had or do not fit.
            OSError: if a file cannot be read.
        """
        return self._random()

    def start(self) -> dict[str, object]:
        """Return what a checkpoint keeps of the weights that the training takes from elsewhere.

        Raises:
            PretrainedError: if there are no such weights.
            OSError: if a file cannot be read.
        """
        return {}

    @abstractmethod
    def _random(self) -> RetrievalNetwork:
        """Return the network with random weights."""

    @abstractmethod
    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return what follows the gradient; the loop sets its learning rate at every step."""

    @abstractmethod
    def batches(
        self, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        """Yield one epoch of batches: positions of images in the training part."""


class ShuffledRecipe(Recipe):
    """A training that takes the pictures at random."""

    _config: HashTrainConfig | BlockTrainConfig | DistillConfig

    def batches(
        self, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        """Yield batches of pictures at random, each picture once."""
        return shuffled_batches(len(labels), self._config.batch_size, generator)


class LabelRecipe(Recipe):
    """A training with labels, from random weights or pretrained ones."""

    _config: LabelConfig
    _loss: RetrievalLoss

    def __init__(self, config: TrainConfig | BlockTrainConfig, data: PreparedImages) -> None:
        """Fit the settings to the data's sizes and classes."""
        self._config, self._loss = config, RetrievalLoss(config)
        self.network = replace(
            config.network,
            height=data.height,
            width=data.width,
            classes=len(data.class_names),
        )

    @abstractmethod
    def _random(self) -> ClassifyingNetwork:
        """Return the network with random weights."""

    def build(self) -> RetrievalNetwork:
        """Return the network as `Recipe.build` does, its backbone with pretrained weights."""
        network = self._random()
        self._start_backbone(network.backbone)
        if self._config.classifier == "cosine":
            network.classifier.bias.requires_grad = False  # it has no say
        return network

    def start(self) -> dict[str, object]:
        """Return "start": what the backbone's first weights are; empty for random ones."""
        source = self._config.pretrained
        return {"start": origin(self._with_backbone(), source)} if source else {}

    def _start_backbone(self, backbone: nn.Module) -> None:
        if source := self._config.pretrained:
            start_backbone(backbone, self._with_backbone(), source)

    def _with_backbone(self) -> NetworkConfig | HashNetworkConfig:
        return cast("NetworkConfig | HashNetworkConfig", self.network)

    def logits(self, network: ClassifyingNetwork, outputs: Tensor) -> Tensor:
        """Return the class logits, (n, classes), of (n, dim) outputs."""
        if self._config.classifier == "linear":
            return network.classify(outputs)
        return cosine_logits(self.compared(outputs), network.classifier.weight, self._config.scale)

    def loss(self, outputs: Tensor, logits: Tensor, labels: Tensor) -> LossParts:
        """Return the loss of a batch: (n, dim) outputs, (n, classes) logits, (n,) int64 labels."""
        return self._loss(self.compared(outputs), logits, labels)

    def compared(self, outputs: Tensor) -> Tensor:
        """Return the (n, dim) features whose cosines the loss compares, of the outputs."""
        return outputs
