"""Puts EncryptionService on a gRPC server: the one door through which key code enters a process."""

import grpc

from cipherlens.crypto import KeyringError
from cipherlens.server.config import ServerConfig
from cipherlens.server.encryption.service import EncryptionService
from cipherlens.server.errors import StartupError
from cipherlens.v1 import encryption_service_pb2
from cipherlens.v1.encryption_service_pb2_grpc import add_EncryptionServiceServicer_to_server

__all__ = ["add_service"]


def add_service(server: grpc.Server, config: ServerConfig) -> str:
    """Load the keyring, add the service and return its full name. Raises StartupError."""
    assert config.keyring is not None  # ServerConfig sees to it
    try:
        service = EncryptionService(config.keyring, config.passphrase, config.limits)
    except KeyringError as error:
        raise StartupError(str(error)) from error
    add_EncryptionServiceServicer_to_server(service, server)
    return str(encryption_service_pb2.DESCRIPTOR.services_by_name["EncryptionService"].full_name)
