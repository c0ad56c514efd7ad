"""Feature vectors of cipher-images, computed by a checkpoint's network: the server's side."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.nn.functional import normalize

from cipherlens.base import CipherProfile
from cipherlens.model.checkpoint import load_network
from cipherlens.model.inference import NetworkRunner
from cipherlens.model.networks.network import RetrievalNetwork


class Embedder(NetworkRunner[RetrievalNetwork]):
    """A checkpoint's network, ready to embed; `embed` may be called from several threads."""

    def __init__(self, source: Path | bytes, device: str = "cpu", precision: str = "auto") -> None:
        """Load a checkpoint, given as a file or as its bytes, onto "cpu", "cuda:N" or "auto".

        Raises:
            CheckpointError: if the checkpoint is damaged or holds a hash network.
            ValueError: if the device or the precision is unknown or not here.
            OSError: if the file cannot be read.
        """
        super().__init__(source, load_network, device, precision)

    @property
    def profile(self) -> CipherProfile | None:
        """The cipher-images the network was trained on; None if it was trained on plain ones."""
        return self.configuration.profile

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._network.dimension

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, dimension) float32 unit vectors of (n, h, w, 3) uint8 images.

        All images of a call have one orientation. An image embedded alone and in a batch agree
        to a cosine of at least 0.9999, not bit for bit.

        Raises:
            TypeError: if pixels is no uint8 array.
            ValueError: if its shape is not the network's size in one of the orientations.
        """
        return self._run(pixels, self.dimension, normalize)
