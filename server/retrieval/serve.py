"""Puts RetrievalService on a gRPC server: the one door through which storage and FAISS come in."""

import grpc

from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import Engine
from cipherlens.server.errors import ServerError, StartupError
from cipherlens.server.index import check_faiss_installation
from cipherlens.server.index.errors import VectorIndexError
from cipherlens.server.retrieval.service import RetrievalService
from cipherlens.v1 import retrieval_service_pb2
from cipherlens.v1.retrieval_service_pb2_grpc import add_RetrievalServiceServicer_to_server

__all__ = ["add_service", "open_engine"]


def open_engine(config: ServerConfig) -> Engine:
    """Return the engine over the data folder. Raises StartupError."""
    try:
        check_faiss_installation()
        return Engine(config)
    except (VectorIndexError, ServerError, ValueError) as error:
        raise StartupError(str(error)) from error


def add_service(server: grpc.Server, engine: Engine, config: ServerConfig) -> str:
    """Add the service and return its full name."""
    add_RetrievalServiceServicer_to_server(RetrievalService(engine, config), server)
    return str(retrieval_service_pb2.DESCRIPTOR.services_by_name["RetrievalService"].full_name)
