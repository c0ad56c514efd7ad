"""Binary codes of plain images, computed by a checkpoint's hash network: the owner's side."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cipherlens.model.checkpoint import Checkpoint, CheckpointConfiguration, load_hash_network
from cipherlens.model.codes import Codes, binarise
from cipherlens.model.networks import check_pixels, to_input
from cipherlens.model.precision import autocast, resolve_device, resolve_precision

MAX_BATCH = 32


class HashEncoder:
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
        data = source if isinstance(source, bytes) else source.read_bytes()
        self._device = resolve_device(device)
        self._precision = resolve_precision(precision, self._device)
        self._checkpoint = Checkpoint.read(data)
        self._network = load_hash_network(data).to(self._device)

    @property
    def configuration(self) -> CheckpointConfiguration:
        """What the checkpoint says about its network."""
        return self._checkpoint.configuration

    @property
    def bits(self) -> int:
        """The length of a code in bits."""
        return self._network.config.bits

    @property
    def height(self) -> int:
        """The height of a prepared landscape image."""
        return self._network.config.height

    @property
    def width(self) -> int:
        """The width of a prepared landscape image."""
        return self._network.config.width

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the checkpoint's bytes, 64 hex digits."""
        return self._checkpoint.digest

    @property
    def numeric_mode(self) -> str:
        """The arithmetic of the activations, such as "cpu-fp32"."""
        return f"{self._device.type}-{self._precision}"

    def encode(self, pixels: NDArray[np.uint8]) -> Codes:
        """Return (n, ceil(bits / 8)) uint8 packed codes of plain (n, h, w, 3) uint8 images.

        All images of a call have one orientation.

        Raises:
            TypeError: if pixels is no uint8 array.
            ValueError: if its shape is not the network's size in one of the orientations.
        """
        return binarise(self.activations(pixels), self._network.config.threshold)

    def activations(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the activations AP that become bits, (n, bits) float32 in [0, 1].

        The argument and the errors are those of `encode`.
        """
        check_pixels(pixels, self.height, self.width)
        values = np.empty((len(pixels), self.bits), dtype=np.float32)
        for start in range(0, len(pixels), MAX_BATCH):
            batch = slice(start, start + MAX_BATCH)
            values[batch] = self._forward(pixels[batch])
        return values

    @torch.inference_mode()
    def _forward(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with autocast(self._device, self._precision):
            activations = self._network(to_input(pixels, self._device))
        values: NDArray[np.float32] = activations.float().cpu().numpy()
        return values
