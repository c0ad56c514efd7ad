"""Opens the cloud's side: the one door through which storage and FAISS come into a process."""

from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import Engine
from cipherlens.server.errors import ServerError, StartupError
from cipherlens.server.index import check_faiss_installation
from cipherlens.server.index.errors import VectorIndexError
from cipherlens.server.retrieval.service import RetrievalService
from cipherlens.server.transport import Service, service_of
from cipherlens.v1 import retrieval_service_pb2

__all__ = ["open_engine", "retrieval_service"]


def open_engine(config: ServerConfig) -> Engine:
    """Return the engine over the data folder. Raises StartupError."""
    try:
        check_faiss_installation()
        return Engine(config)
    except (VectorIndexError, ServerError, ValueError) as error:
        raise StartupError(str(error)) from error


def retrieval_service(engine: Engine, config: ServerConfig) -> Service:
    """Return RetrievalService over an engine."""
    descriptor = retrieval_service_pb2.DESCRIPTOR.services_by_name["RetrievalService"]
    return service_of(descriptor, RetrievalService(engine, config))
