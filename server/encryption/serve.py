"""Opens the owner's side: the one door through which key code comes into a process."""

from cipherlens.crypto import KeyringError
from cipherlens.server.config import ServerConfig
from cipherlens.server.encryption.decoding import return_large_blocks
from cipherlens.server.encryption.errors import CRYPTO_CODES
from cipherlens.server.encryption.service import EncryptionService
from cipherlens.server.errors import StartupError

__all__ = ["CRYPTO_CODES", "open_service"]


def open_service(config: ServerConfig) -> EncryptionService:
    """Load the keyring and the hash network, if there is one. Raises StartupError."""
    assert config.keyring is not None  # ServerConfig sees to it
    return_large_blocks()  # before any call: large pictures come on many threads
    try:
        return EncryptionService(config.keyring, config)
    except KeyringError as error:
        raise StartupError(str(error)) from error
