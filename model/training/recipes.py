"""What the trainings of the kinds of network do not share; `train` has the loop."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from cipherlens.model.config import (
    AnyTrainConfig,
    BlockTrainConfig,
    DistillConfig,
    HashTrainConfig,
    LabelConfig,
    LoopConfig,
    TrainConfig,
)
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError
from cipherlens.model.networks.block_set import (
    ARCHITECTURE,
    BlockSetBackbone,
    BlockSetNetwork,
)
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.network import ClassifyingNetwork, RetrievalNetwork
from cipherlens.model.networks.network_config import (
    BlockSetConfig,
    HashNetworkConfig,
    NetworkConfig,
)
from cipherlens.model.networks.pretrained import origin, start_backbone
from cipherlens.model.training.head_start import start_stages
from cipherlens.model.training.losses import LossParts, RetrievalLoss, cosine_logits
from cipherlens.model.training.sampling import balanced_batches, shuffled_batches
from cipherlens.model.training.teacher import teacher_origin


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


class LabelRecipe(Recipe):
    """A training with labels, from random weights or pretrained ones."""

    _config: LabelConfig
    _loss: RetrievalLoss

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


class EndToEndRecipe(LabelRecipe):
    """The E2E paper, section II-B: triplets and classes, Adam, balanced batches, cosine mAP."""

    architecture = "e2e"
    network: NetworkConfig
    _config: TrainConfig

    def __init__(self, config: TrainConfig, data: PreparedImages) -> None:
        """Fit the settings to the data's sizes and classes."""
        self._config, self._loss = config, RetrievalLoss(config)
        self.network = replace(
            config.network,
            height=data.height,
            width=data.width,
            classes=len(data.class_names),
        )

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


class HashRecipe(LabelRecipe):
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

    def batches(
        self, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        """Yield batches of images at random, each image once."""
        return shuffled_batches(len(labels), self._config.batch_size, generator)

    def compared(self, outputs: Tensor) -> Tensor:
        """Return how far activations lie above or below the threshold of their bits."""
        return outputs - self.network.threshold


class BlockRecipe(LabelRecipe):
    """The head of a network of any key, with labels: AdamW, shuffled batches, cosine mAP."""

    architecture = "blocks"
    network: BlockSetConfig
    _config: BlockTrainConfig

    def __init__(self, config: BlockTrainConfig, data: PreparedImages) -> None:
        """Fit the settings to the data's sizes and classes."""
        self._config, self._loss = config, RetrievalLoss(config)
        self.network = replace(
            config.network,
            height=data.height,
            width=data.width,
            classes=len(data.class_names),
        )

    def start(self) -> dict[str, object]:
        """Return "start", the weights of the stages."""
        return {"start": _stages_origin(self._config.stages)}

    def _start_backbone(self, backbone: nn.Module) -> None:
        start_stages(cast("BlockSetBackbone", backbone), self._config.stages)

    def _random(self) -> BlockSetNetwork:
        return BlockSetNetwork(self.network)

    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return AdamW. Only head and classifier have a gradient."""
        return AdamW(
            network.parameters(),
            lr=self._config.learning_rate,
            weight_decay=self._config.weight_decay,
        )

    def batches(
        self, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        """Yield batches of pictures at random, each picture once."""
        return shuffled_batches(len(labels), self._config.batch_size, generator)


class DistillRecipe(Recipe):
    """A network of any key that learns from a teacher: AdamW, shuffled batches."""

    architecture = "blocks"
    network: BlockSetConfig
    _config: DistillConfig

    def __init__(self, config: DistillConfig, data: PreparedImages) -> None:
        """Fit the settings to the data's sizes."""
        self._config = config
        self.network = replace(config.network, height=data.height, width=data.width)

    def start(self) -> dict[str, object]:
        """Return "teacher", whose vectors are learnt, and "start", the weights of the stages."""
        return {
            "teacher": teacher_origin(self._config),
            "start": _stages_origin(self._config.stages),
        }

    def build(self) -> RetrievalNetwork:
        """Return the network as `Recipe.build` does, with its stages' weights."""
        network = self._random()
        start_stages(network.backbone, self._config.stages)
        return network

    def _random(self) -> BlockSetNetwork:
        return BlockSetNetwork(self.network)

    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return AdamW, whose second moments forget faster than usual: a training is short.

        Only the head has a gradient.
        """
        return AdamW(
            network.parameters(),
            lr=self._config.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=self._config.weight_decay,
        )

    def batches(
        self, labels: NDArray[np.int64], generator: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        """Yield batches of pictures at random, each picture once."""
        return shuffled_batches(len(labels), self._config.batch_size, generator)


def _stages_origin(source: str) -> dict[str, str]:
    """Return what a checkpoint keeps of the weights of the stages that look at blocks."""
    return origin(NetworkConfig(backbone=ARCHITECTURE), source)


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
