"""Encryption and decryption of prepared images under one key."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from cipherlens.base import NONCE_BYTES, Scope
from cipherlens.crypto.cipher_image import CipherImage
from cipherlens.crypto.errors import CipherMismatch, WrongKey
from cipherlens.crypto.hazmat.blocks import Pixels, decrypt_blocks, encrypt_blocks
from cipherlens.crypto.hazmat.sequences import Sequences
from cipherlens.crypto.key import Key
from cipherlens.crypto.parameters import CipherParameters

Nonces = npt.NDArray[np.uint8]


class ImageCipher:
    """The image cipher of one key; safe to share between threads.

    This is perceptual encryption, which carries features to a network that never sees the plain
    image. It does not protect an original: under a collection-scope key one chosen image gives
    away all sequences, so never let strangers encrypt with it.
    """

    def __init__(self, entry: Key) -> None:
        """Take the key, and draw the one set of sequences if it is of collection scope.

        Raises:
            NotGranted: it was granted for something else than cipher-images.
        """
        self._entry = entry
        self._keys = entry.image_keys()
        self._shared: Sequences | None = None
        if entry.parameters.scope is Scope.COLLECTION:
            zero = np.zeros((1, NONCE_BYTES), np.uint8)
            self._shared = Sequences.derive(self._keys, entry.parameters, zero)

    @property
    def parameters(self) -> CipherParameters:
        """Return the parameters of the key entry."""
        return self._entry.parameters

    @property
    def key_fingerprint(self) -> bytes:
        """Return the 16-byte fingerprint of the key entry."""
        return self._entry.fingerprint

    def encrypt(self, images: Pixels) -> tuple[Pixels, Nonces]:
        """Return the cipher pixels of prepared images, and the nonces that they need to come back.

        Args:
            images: (n, height, width, 3) uint8, all landscape or all portrait.

        Returns:
            (n, height, width, 3) uint8 and (n, 16) uint8, both new. No caller chooses a nonce:
            two images under one nonce of image scope would give each other away.

        Raises:
            TypeError, ValueError: images have another type or shape.
        """
        self._check_images(images)
        nonces = self._fresh_nonces(len(images))
        sequences = self._sequences(len(images), nonces)
        return encrypt_blocks(images, sequences, self.parameters.block_size), nonces

    def decrypt(self, pixels: Pixels, nonces: Nonces) -> Pixels:
        """Return the prepared images of cipher pixels, byte for byte.

        Args:
            pixels: (n, height, width, 3) uint8, all landscape or all portrait.
            nonces: (n, 16) uint8, as `encrypt` returned them.

        Raises:
            TypeError, ValueError: pixels or nonces have another type or shape.
        """
        self._check_images(pixels)
        sequences = self._sequences(len(pixels), nonces)
        return decrypt_blocks(pixels, sequences, self.parameters.block_size)

    def encrypt_image(self, image: Pixels) -> CipherImage:
        """Return the cipher-image of one prepared image, (height, width, 3) uint8."""
        return self.encrypt_images([image])[0]

    def encrypt_images(self, images: Sequence[Pixels] | Pixels) -> list[CipherImage]:
        """Return the cipher-images of prepared images, in their order, of either orientation."""
        result: list[CipherImage | None] = [None] * len(images)
        for numbers in _group_by_shape(images):
            pixels, nonces = self.encrypt(np.stack([images[number] for number in numbers]))
            for number, own_pixels, nonce in zip(numbers, pixels, nonces, strict=True):
                result[number] = self._describe(own_pixels, nonce)
        return [image for image in result if image is not None]

    def decrypt_image(self, image: CipherImage) -> Pixels:
        """Return the prepared image of a cipher-image, (height, width, 3) uint8.

        Raises:
            WrongKey: it says that it is of another key.
            CipherMismatch: it says that it is of other parameters.
        """
        self.check(image)
        nonces = np.frombuffer(image.nonce, np.uint8)[None]
        decrypted: Pixels = self.decrypt(image.pixels[None], nonces)[0]
        return decrypted

    def check(self, image: CipherImage) -> None:
        """Raise as `decrypt_image` unless a cipher-image claims this key and its parameters."""
        if image.key_fingerprint != self.key_fingerprint:
            raise WrongKey(
                f"the cipher-image is of key {image.key_fingerprint.hex()}, "
                f"this cipher of key {self.key_fingerprint.hex()}"
            )
        differences = image.parameters.differences(self.parameters)
        if differences:
            raise CipherMismatch(
                f"the cipher-image and key {self.key_fingerprint.hex()} differ: "
                + ", ".join(differences)
            )

    def _describe(self, pixels: Pixels, nonce: Nonces) -> CipherImage:
        """Return a cipher-image of this key; takes over the pixels."""
        height, width, _ = pixels.shape
        return CipherImage(
            parameters=self.parameters,
            key_fingerprint=self.key_fingerprint,
            height=height,
            width=width,
            nonce=nonce.tobytes(),
            pixels=pixels,
        )

    def _check_images(self, images: Pixels) -> None:
        """Raise unless images is a batch of this key's size."""
        parameters = self.parameters
        fits = images.ndim == 4 and parameters.shape_matches(*images.shape[1:3])
        if not fits or images.shape[3] != 3:
            raise ValueError(
                f"images must be (n, {parameters.height}, {parameters.width}, 3) or its portrait, "
                f"got {images.shape}"
            )

    def _fresh_nonces(self, count: int) -> Nonces:
        """Return (count, 16) nonces: random in image scope, zero in collection scope.

        Random nonces of 128 bits meet each other after about 2^64 encryptions under one key.
        """
        if self._shared is not None:
            return np.zeros((count, NONCE_BYTES), np.uint8)
        random = os.urandom(count * NONCE_BYTES)
        return np.frombuffer(random, np.uint8).reshape(count, NONCE_BYTES).copy()

    def _sequences(self, count: int, nonces: Nonces) -> Sequences:
        """Return the sequences of every nonce, after checking that there are count."""
        if nonces.dtype != np.uint8 or nonces.shape != (count, NONCE_BYTES):
            raise ValueError(
                f"nonces must be ({count}, {NONCE_BYTES}) uint8, got {nonces.shape} {nonces.dtype}"
            )
        if self._shared is None:
            return Sequences.derive(self._keys, self.parameters, nonces)
        if nonces.any():
            raise ValueError("nonces must be all zero in collection scope")
        return self._shared


def _group_by_shape(images: Sequence[Pixels] | Pixels) -> list[list[int]]:
    """Return the numbers of the images of each shape."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, image in enumerate(images):
        groups.setdefault(image.shape, []).append(number)
    return list(groups.values())
