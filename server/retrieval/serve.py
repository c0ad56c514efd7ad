"""Opens the cloud's side: the one door through which storage and FAISS come into a process."""

from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import Engine
from cipherlens.server.errors import ServerError, StartupError
from cipherlens.server.index import check_faiss_installation
from cipherlens.server.index.errors import VectorIndexError
from cipherlens.server.retrieval.service import RetrievalService

__all__ = ["RetrievalService", "open_engine"]


def open_engine(config: ServerConfig) -> Engine:
    """Return the engine over the data folder. Raises StartupError."""
    try:
        check_faiss_installation()
        return Engine(config)
    except (VectorIndexError, ServerError, ValueError) as error:
        raise StartupError(str(error)) from error
