"""Binary codes of plain images, computed by a checkpoint's hash network: the owner's side."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.checkpoint import load_hash_network
from cipherlens.model.codes import Codes, binarise
from cipherlens.model.inference import NetworkRunner
from cipherlens.model.networks.hash_network import HashNetwork


class HashEncoder(NetworkRunner[HashNetwork]):
    """A checkpoint's hash network, ready to encode; `encode` may be called from several threads.

    An owner's codes and a user's trapdoors come from different machines and are compared bit by
    bit, so the arithmetic is float32 unless told otherwise: a bit then differs only where its
    activation lies within rounding of the threshold.
    """

    def __init__(self, source: Path | bytes, device: str = "cpu", precision: str = "fp32") -> None:
        """Load a checkpoint, given as a file or as its bytes, onto "cpu", "cuda:N" or "auto".

        Raises:
            CheckpointError: if the checkpoint is damaged or holds no hash network.
            ValueError: if the device or the precision is unknown or not here.
            OSError: if the file cannot be read.
        """
        super().__init__(source, load_hash_network, device, precision)

    @property
    def bits(self) -> int:
        """The length of a code in bits."""
        return self._network.config.bits

    @property
    def threshold(self) -> float:
        """What an activation must reach to be a bit that is 1."""
        return self._network.config.threshold

    @property
    def height(self) -> int:
        """The height of a prepared landscape image."""
        return self._network.config.height

    @property
    def width(self) -> int:
        """The width of a prepared landscape image."""
        return self._network.config.width

    def encode(self, pixels: NDArray[np.uint8]) -> Codes:
        """Return (n, ceil(bits / 8)) uint8 packed codes of plain (n, h, w, 3) uint8 images.

        All images of a call have one orientation.

        Raises:
            TypeError: if pixels is no uint8 array.
            ValueError: if its shape is not the network's size in one of the orientations.
        """
        return binarise(self.activations(pixels), self.threshold)

    def activations(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the activations AP that become bits, (n, bits) float32 in [0, 1].

        The argument and the errors are those of `encode`.
        """
        return self._run(pixels, self.bits)
