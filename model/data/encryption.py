"""What turns plain training images into what the network sees: one key, any key, or nothing."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import NONCE_BYTES
from cipherlens.crypto import CipherParameters, ImageCipher, KeyEntry, Scope
from cipherlens.crypto.hazmat import Sequences, encrypt_blocks

Pixels = NDArray[np.uint8]

Encryptor: TypeAlias = Callable[[Pixels, np.random.Generator], Pixels]
"""Maps (n, h, w, 3) uint8 images of one orientation to as many of the same shape."""


class KeyEncryptor:
    """Encrypts under one key entry, as the client does before it uploads."""

    def __init__(self, entry: KeyEntry) -> None:
        """Prepare the cipher of a key entry."""
        self._entry = entry
        self._cipher = ImageCipher(entry)
        self.profile = entry.profile

    def __call__(self, images: Pixels, generator: np.random.Generator) -> Pixels:
        """Return the images encrypted; with image scope the nonces come from the generator.

        Nonces that can be drawn again make a training repeatable. They are not fit for upload,
        where `ImageCipher` draws its own from the system.
        """
        parameters = self._entry.parameters
        if parameters.scope is Scope.COLLECTION:
            pixels, _ = self._cipher.encrypt(images)
            return pixels
        _check_size(images, parameters)
        nonces = generator.integers(0, 256, (len(images), NONCE_BYTES), dtype=np.uint8)
        sequences = Sequences.derive(self._entry.image_keys(), parameters, nonces)
        return encrypt_blocks(images, sequences, parameters.block_size)


class AnyKeyEncryptor:
    """Encrypts every image with sequences of its own, for a network that serves any key.

    To such a network an image under a fresh key and one under a fresh nonce of a known key are
    the same thing; so keys of image scope that the training never saw work as well as any. The
    network must not know where a block stands: `positions = "none"` in its settings.
    """

    def __init__(self, parameters: CipherParameters) -> None:
        """Take what all the keys have in common.

        Raises:
            ValueError: if the scope is not image.
        """
        if parameters.scope is not Scope.IMAGE:
            raise ValueError(
                f"scope must be image for a network of any key, got {parameters.scope}"
            )
        self._parameters = parameters
        self.profile = parameters.profile(b"")

    def __call__(self, images: Pixels, generator: np.random.Generator) -> Pixels:
        """Return the images encrypted, each with fresh sequences from the generator.

        Raises:
            ValueError: if the images are not of the parameters' size.
        """
        _check_size(images, self._parameters)
        sequences = Sequences.random(generator, self._parameters, len(images))
        return encrypt_blocks(images, sequences, self._parameters.block_size)


def _check_size(images: Pixels, parameters: CipherParameters) -> None:
    """Raise ValueError unless images have the parameters' size, in either orientation."""
    if not parameters.shape_matches(*images.shape[1:3]):
        raise ValueError(
            f"images must be {parameters.height}x{parameters.width} or its portrait, "
            f"got {images.shape}"
        )


def plain(images: Pixels, generator: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Return the images as they are: the plain twin's encryptor."""
    return images
