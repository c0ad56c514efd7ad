"""Feature vectors of cipher-images, computed by a checkpoint's network: the server's side."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from cipherlens.model.checkpoint import Checkpoint, CheckpointConfiguration, load_network
from cipherlens.model.networks import check_pixels, to_input
from cipherlens.model.precision import autocast, resolve_device, resolve_precision
from cipherlens.model.profile import CipherProfile

MAX_BATCH = 32


class Embedder:
    """A checkpoint's network, ready to embed; `embed` may be called from several threads."""

    def __init__(self, source: Path | bytes, device: str = "cpu", precision: str = "auto") -> None:
        """Load a checkpoint, given as a file or as its bytes, onto "cpu", "cuda:N" or "auto".

        Raises:
            CheckpointError: if the checkpoint is damaged.
            ValueError: if the device or the precision is unknown or not here.
            OSError: if the file cannot be read.
        """
        data = source if isinstance(source, bytes) else source.read_bytes()
        self._device = resolve_device(device)
        self._precision = resolve_precision(precision, self._device)
        self._checkpoint = Checkpoint.read(data)
        self._network = load_network(data).to(self._device)

    @property
    def configuration(self) -> CheckpointConfiguration:
        """What the checkpoint says about its network."""
        return self._checkpoint.configuration

    @property
    def profile(self) -> CipherProfile | None:
        """The cipher-images the network was trained on; None if it was trained on plain ones."""
        return self._checkpoint.configuration.profile

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self._network.config.feature_dim

    @property
    def digest(self) -> str:
        """The SHA-256 digest of the checkpoint's bytes, 64 hex digits."""
        return self._checkpoint.digest

    @property
    def numeric_mode(self) -> str:
        """The arithmetic of the vectors, such as "cpu-bf16": others agree only approximately."""
        return f"{self._device.type}-{self._precision}"

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, dimension) float32 unit vectors of (n, h, w, 3) uint8 images.

        All images of a call have one orientation. An image embedded alone and in a batch agree
        to a cosine of at least 0.9999, not bit for bit.

        Raises:
            TypeError: if pixels is no uint8 array.
            ValueError: if its shape is not the network's size in one of the orientations.
        """
        check_pixels(pixels, self.configuration.network.height, self.configuration.network.width)
        vectors = np.empty((len(pixels), self.dimension), dtype=np.float32)
        for start in range(0, len(pixels), MAX_BATCH):
            batch = slice(start, start + MAX_BATCH)
            vectors[batch] = self._forward(pixels[batch])
        return vectors

    @torch.inference_mode()
    def _forward(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with autocast(self._device, self._precision):
            features = self._network(to_input(pixels, self._device))
        vectors: NDArray[np.float32] = normalize(features.float()).cpu().numpy()
        return vectors
