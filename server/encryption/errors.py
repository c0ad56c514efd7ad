"""What the crypto package's failures are to a gRPC caller.

Joined to the table of `status` where a keyring is served, and only there.
"""

import grpc

from cipherlens.crypto import (
    CipherMismatch,
    CryptoError,
    FormatError,
    ImageError,
    KeyringError,
    OpenError,
    UnknownKey,
)
from cipherlens.server.status import Codes

CRYPTO_CODES: Codes = {
    UnknownKey: grpc.StatusCode.NOT_FOUND,
    ImageError: grpc.StatusCode.INVALID_ARGUMENT,
    FormatError: grpc.StatusCode.INVALID_ARGUMENT,
    CipherMismatch: grpc.StatusCode.FAILED_PRECONDITION,
    OpenError: grpc.StatusCode.FAILED_PRECONDITION,
    KeyringError: grpc.StatusCode.FAILED_PRECONDITION,
    CryptoError: grpc.StatusCode.FAILED_PRECONDITION,
}
