"""Opens the owner's side: the one door through which key code comes into a process."""

from cipherlens.crypto import KeyringError
from cipherlens.server.config import ServerConfig
from cipherlens.server.encryption.errors import CRYPTO_CODES
from cipherlens.server.encryption.service import EncryptionService
from cipherlens.server.errors import StartupError
from cipherlens.server.transport import Service, service_of
from cipherlens.v1 import encryption_service_pb2

__all__ = ["CRYPTO_CODES", "encryption_service", "open_keys"]


def open_keys(config: ServerConfig) -> EncryptionService:
    """Load the keyring and the hash network, if there is one. Raises StartupError."""
    assert config.keyring is not None  # ServerConfig sees to it
    try:
        return EncryptionService(config.keyring, config)
    except KeyringError as error:
        raise StartupError(str(error)) from error


def encryption_service(behaviours: EncryptionService) -> Service:
    """Return EncryptionService as a transport takes it."""
    descriptor = encryption_service_pb2.DESCRIPTOR.services_by_name["EncryptionService"]
    return service_of(descriptor, behaviours)
