"""A trained network judged another way: among unseen pictures alone, or by several encryptions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.sources import sources_digest
from benchmarks.methods.checkpoints import trained
from benchmarks.methods.figures import Store
from benchmarks.methods.method import Encrypted, Features
from benchmarks.methods.trained_network import FittedNetwork, TrainedNetwork
from cipherlens.model.config import SplitConfig
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages


class DrawnNetwork(FittedNetwork):
    """Averages what the network makes of `draws` fresh encryptions of each picture.

    The owner makes them, of the pictures that he stores and of his query.
    """

    draws: int = 1

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Encrypted:
        """Return (n, draws, h, w, 3) cipher-images."""
        drawn = [super(DrawnNetwork, self).encrypt(pixels, generator) for _ in range(self.draws)]
        return np.stack(drawn, axis=1)

    def encode(self, encrypted: Encrypted) -> Features:
        """Return float32 unit vectors, the direction of the mean over the draws."""
        vectors = super().encode(encrypted.reshape(-1, *encrypted.shape[2:]))
        mean: NDArray[np.float32] = vectors.reshape(len(encrypted), self.draws, -1).mean(axis=1)
        found: Features = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedAgain:
    """A network as `trained` keeps it, whose test pictures search each other.

    With `draws` above 1 each picture has the mean vector of so many encryptions.
    """

    network: TrainedNetwork
    store: Store
    draws: int = 1

    @property
    def name(self) -> str:
        """The network's, and how it is judged."""
        return f"{self.network.name}-{f'{self.draws}-draws' if self.draws > 1 else 'unseen'}"

    @property
    def split(self) -> SplitConfig:
        """The split of its settings."""
        return self.network.split

    @property
    def against_rest(self) -> bool:
        """No picture that was learned from is searched."""
        return False

    def settings(self) -> list[Any]:
        """Return the network's, and the draws."""
        return [*self.network.settings(), self.draws]

    def decided_by(self) -> dict[str, Any]:
        """Return what decides the network's figures, and the code of this judging."""
        return {**self.network.decided_by(), "judging": sources_digest(__name__)}

    def fit(self, data: PreparedImages, path: Path) -> FittedNetwork:  # noqa: ARG002
        """Load the network, which is trained if it is not there."""
        network = self.network
        checkpoint = trained(network, data, self.store).checkpoint
        encryptor = network.judge or network.encryptor
        if self.draws == 1:
            return FittedNetwork(checkpoint, encryptor)
        drawn = DrawnNetwork(checkpoint, encryptor)
        drawn.draws = self.draws
        return drawn
