"""Opens the cloud's side: the one door through which storage and FAISS come into a process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import Engine, LoadProgress
from cipherlens.server.errors import ServerError, StartupError, Stopping
from cipherlens.server.index import check_faiss_installation
from cipherlens.server.index.errors import VectorIndexError
from cipherlens.server.retrieval.service import RetrievalService

__all__ = ["LoadProgress", "RetrievalService", "load", "open_engine"]


def open_engine(config: ServerConfig, follow_at: str | None = None) -> Engine:
    """Return the engine over the data folder, not loaded yet. Raises StartupError.

    follow_at: as an `Engine` takes it.
    """
    with _startup_errors():
        check_faiss_installation()
        return Engine(config, follow_at)


def load(engine: Engine, watch: Callable[[LoadProgress], None]) -> None:
    """Load the collections; what `watch` raises ends that. Raises StartupError."""
    with _startup_errors():
        engine.load(watch)


@contextmanager
def _startup_errors() -> Iterator[None]:
    try:
        yield
    except Stopping:
        raise
    except (VectorIndexError, ServerError, ValueError) as error:
        raise StartupError(str(error)) from error
