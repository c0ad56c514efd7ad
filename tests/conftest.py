"""What all tests stand on."""

import signal
from collections.abc import Iterator

import pytest

from cipherlens.base import CipherProfile, Scope


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the programs that tests start.

    A shell that puts us in the background has us ignore SIGINT, and programs inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def profile() -> CipherProfile:
    """Return a small profile of scope `collection`."""
    return CipherProfile(
        scheme_version=1,
        preparation_version=1,
        height=16,
        width=24,
        block_size=8,
        substituted_blocks=2,
        scope=Scope.COLLECTION,
        key_fingerprint=bytes(range(16)),
    )
