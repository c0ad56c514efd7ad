"""Keys of a measurement."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from cipherlens.crypto import CipherParameters, KeyEntry
from cipherlens.model.data.encryption import KeyEncryptor, Pixels


def measured_key(parameters: CipherParameters, seed: int | Sequence[int]) -> KeyEntry:
    """Return the key of a seed. It is nobody's: whoever knows the seed can make it again."""
    drawn = np.random.default_rng(seed)
    return KeyEntry(
        name="measured",
        root=drawn.bytes(32),
        signing_seed=drawn.bytes(32),
        parameters=parameters,
        created_at=datetime.now(UTC),
    )


class MeasuredKeyEncryptor:
    """Encrypts under the key of a seed, for trainings in processes of their own.

    A key does not go from process to process; its seed does, and the key is made again there.
    """

    def __init__(self, parameters: CipherParameters, seed: int | Sequence[int]) -> None:
        """Make the key of a seed."""
        self._recipe = parameters, seed
        self._encryptor = KeyEncryptor(measured_key(parameters, seed))
        self.profile = self._encryptor.profile

    def __call__(self, images: Pixels, generator: np.random.Generator) -> Pixels:
        """Return the images encrypted, as `KeyEncryptor` does."""
        return self._encryptor(images, generator)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes the same one."""
        return MeasuredKeyEncryptor, self._recipe
