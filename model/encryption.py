"""What turns plain training images into what the network sees: a key, or nothing for the twin."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cipherlens.crypto import ImageCipher, KeyEntry, Scope
from cipherlens.model.profile import CipherProfile

Pixels = NDArray[np.uint8]

Encryptor: TypeAlias = Callable[[Pixels, np.random.Generator], Pixels]
"""Maps (n, h, w, 3) uint8 images of one orientation to as many of the same shape."""


class KeyEncryptor:
    """Encrypts under one key entry, as the client does before it uploads."""

    def __init__(self, entry: KeyEntry) -> None:
        """Prepare the cipher of a key entry."""
        self._cipher = ImageCipher(entry)
        self._image_scope = entry.parameters.scope is Scope.IMAGE
        self.profile = profile_of(entry)

    def __call__(self, images: Pixels, generator: np.random.Generator) -> Pixels:
        """Return the images encrypted; with image scope the nonces come from the generator.

        Nonces that can be drawn again make a training repeatable. They are not fit for upload,
        where `ImageCipher` draws its own from the system.
        """
        nonces = None
        if self._image_scope:
            nonces = generator.integers(0, 256, (len(images), 16), dtype=np.uint8)
        pixels, _ = self._cipher.encrypt(images, nonces)
        return pixels


def plain(images: Pixels, generator: np.random.Generator) -> Pixels:  # noqa: ARG001
    """Return the images as they are: the plain twin's encryptor."""
    return images


def profile_of(entry: KeyEntry) -> CipherProfile:
    """Return what the cipher-images made under a key entry say of themselves."""
    parameters = entry.parameters
    return CipherProfile(
        scheme_version=parameters.scheme_version,
        preparation_version=parameters.preparation_version,
        height=parameters.height,
        width=parameters.width,
        block_size=parameters.block_size,
        substituted_blocks=parameters.substituted_blocks,
        scope=str(parameters.scope),
        key_fingerprint=entry.fingerprint,
    )
