"""What the crypto package's failures are to a caller.

Joined to the table of `status` where a keyring is served, and only there.
"""

from google.rpc import code_pb2

from cipherlens.crypto import (
    CipherMismatch,
    CryptoError,
    FormatError,
    ImageError,
    KeyringError,
    OpenError,
    UnknownKey,
)
from cipherlens.server.transport.status import Codes

CRYPTO_CODES: Codes = {
    UnknownKey: code_pb2.NOT_FOUND,
    ImageError: code_pb2.INVALID_ARGUMENT,
    FormatError: code_pb2.INVALID_ARGUMENT,
    CipherMismatch: code_pb2.FAILED_PRECONDITION,
    OpenError: code_pb2.FAILED_PRECONDITION,
    KeyringError: code_pb2.FAILED_PRECONDITION,
    CryptoError: code_pb2.FAILED_PRECONDITION,
}
