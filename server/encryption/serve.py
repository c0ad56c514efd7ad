"""Puts EncryptionService on a gRPC server: the one door through which key code enters a process."""

import grpc

from cipherlens.crypto import KeyringError
from cipherlens.server.config import ServerConfig
from cipherlens.server.encryption.service import EncryptionService
from cipherlens.server.errors import StartupError
from cipherlens.v1 import encryption_service_pb2
from cipherlens.v1.encryption_service_pb2_grpc import add_EncryptionServiceServicer_to_server

__all__ = ["add_service", "open_service"]


def open_service(config: ServerConfig) -> EncryptionService:
    """Load the keyring and the hash network, if there is one. Raises StartupError."""
    assert config.keyring is not None  # ServerConfig sees to it
    try:
        return EncryptionService(config.keyring, config)
    except KeyringError as error:
        raise StartupError(str(error)) from error


def add_service(server: grpc.Server, service: EncryptionService) -> str:
    """Add the service and return its full name."""
    add_EncryptionServiceServicer_to_server(service, server)
    return str(encryption_service_pb2.DESCRIPTOR.services_by_name["EncryptionService"].full_name)
