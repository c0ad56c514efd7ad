"""What the crypto package's failures are to a caller.

Joined to the table of `transport.status` where a keyring is served, and only there.
"""

from collections.abc import Mapping

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

CRYPTO_CODES: Mapping[type[Exception], int] = {
    UnknownKey: code_pb2.NOT_FOUND,
    ImageError: code_pb2.INVALID_ARGUMENT,
    FormatError: code_pb2.INVALID_ARGUMENT,
    CipherMismatch: code_pb2.FAILED_PRECONDITION,
    OpenError: code_pb2.FAILED_PRECONDITION,
    KeyringError: code_pb2.FAILED_PRECONDITION,
    CryptoError: code_pb2.FAILED_PRECONDITION,
}
