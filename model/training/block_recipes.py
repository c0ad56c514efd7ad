"""The trainings of a network of any key, whose stages stay as ImageNet taught them."""

from dataclasses import replace
from typing import cast

from torch import nn
from torch.optim import AdamW, Optimizer

from cipherlens.model.config import BlockTrainConfig, DistillConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.networks.block_set import (
    ARCHITECTURE,
    BlockSetBackbone,
    BlockSetNetwork,
)
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.networks.network_config import BlockSetConfig, NetworkConfig
from cipherlens.model.networks.pretrained import origin
from cipherlens.model.training.head_start import start_stages
from cipherlens.model.training.recipe import LabelRecipe, ShuffledRecipe
from cipherlens.model.training.teacher import teacher_origin


class StagesRecipe(ShuffledRecipe):
    """A training of the head alone; only that has a gradient."""

    architecture = "blocks"
    network: BlockSetConfig
    _config: BlockTrainConfig | DistillConfig

    def start(self) -> dict[str, object]:
        """Return "start", the weights of the stages that look at blocks."""
        stages = NetworkConfig(backbone=ARCHITECTURE)
        return {"start": origin(stages, self._config.stages)}

    def _random(self) -> BlockSetNetwork:
        return BlockSetNetwork(self.network)

    def _start_backbone(self, backbone: nn.Module) -> None:
        start_stages(cast("BlockSetBackbone", backbone), self._config.stages)


class BlockRecipe(StagesRecipe, LabelRecipe):
    """With labels: AdamW, shuffled batches, cosine mAP."""

    _config: BlockTrainConfig

    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return AdamW, for head and classifier."""
        return AdamW(
            network.parameters(),
            lr=self._config.learning_rate,
            weight_decay=self._config.weight_decay,
        )


class DistillRecipe(StagesRecipe):
    """From a teacher: AdamW, shuffled batches."""

    _config: DistillConfig

    def __init__(self, config: DistillConfig, data: PreparedImages) -> None:
        """Fit the settings to the data's sizes."""
        self._config = config
        self.network = replace(config.network, height=data.height, width=data.width)

    def start(self) -> dict[str, object]:
        """Return "teacher", whose vectors are learnt, and "start", the weights of the stages."""
        return {"teacher": teacher_origin(self._config), **super().start()}

    def build(self) -> RetrievalNetwork:
        """Return the network as `Recipe.build` does, with its stages' weights."""
        network = self._random()
        self._start_backbone(network.backbone)
        return network

    def optimizer(self, network: RetrievalNetwork) -> Optimizer:
        """Return AdamW, whose second moments forget faster than usual: a training is short."""
        return AdamW(
            network.parameters(),
            lr=self._config.learning_rate,
            betas=(0.9, 0.98),
            weight_decay=self._config.weight_decay,
        )
