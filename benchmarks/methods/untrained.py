"""What a network finds before it has learned anything: cipher-images keep most of the colours."""

from dataclasses import dataclass, fields
from pathlib import Path

import torch

from benchmarks.methods.trained_network import FittedNetwork, TrainedNetwork
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.training.recipes import recipe_of


@dataclass(frozen=True, kw_only=True, slots=True)
class UntrainedNetwork(TrainedNetwork):
    """A network with the weights that its training starts from."""

    def fit(self, data: PreparedImages, path: Path) -> FittedNetwork:
        """Write the weights to `path`; nothing is learned."""
        recipe = recipe_of(self.config, data)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            network = recipe.build()
        configuration = CheckpointConfiguration(
            architecture=recipe.architecture, network=recipe.network, profile=self.profile
        )
        save(path, network, configuration)
        return FittedNetwork(path, self.judge or self.encryptor)


def untrained(network: TrainedNetwork) -> UntrainedNetwork:
    """Return what a network is before its training."""
    same = {each.name: getattr(network, each.name) for each in fields(network)}
    return UntrainedNetwork(**same | {"name": f"{network.name}-untrained"})
