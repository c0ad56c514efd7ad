"""Keys of a measurement."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from cipherlens.crypto import CipherParameters, KeyEntry


def measured_key(parameters: CipherParameters, seed: int | Sequence[int]) -> KeyEntry:
    """Return the key of a seed. It is nobody's: whoever knows the seed can make it again."""
    root = np.random.default_rng(seed).bytes(32)
    return KeyEntry(name="measured", root=root, parameters=parameters, created_at=datetime.now(UTC))
