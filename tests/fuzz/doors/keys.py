"""Keys and seals that are the same at every run, so that inputs that were kept still fit them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random
from unittest.mock import patch

from cipherlens.crypto import CipherParameters, Identity, KeyEntry

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
COLLECTION = uuid.UUID(int=7)
PARAMETERS = CipherParameters(height=16, width=32, block_size=8, substituted_blocks=2)
OWNER = KeyEntry(
    name="owner",
    root=bytes(range(32)),
    signing_seed=bytes(range(96, 128)),
    parameters=PARAMETERS,
    created_at=NOW,
)
USER = Identity(name="user", private_key=bytes(range(32, 64)), created_at=NOW)


@contextmanager
def without_chance() -> Iterator[None]:
    """Draw salts and nonces from a seed: what is sealed within the block is known again later."""
    with patch("os.urandom", Random(0).randbytes):
        yield
