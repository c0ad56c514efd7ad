"""What callers may want to catch: one class for each gRPC status that says something of its own."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc

from cipherlens.base import DomainError
from cipherlens.wire import ErrorDetails

MASK_REFUSED = "MASK_REFUSED"
"""The reason of a FailedPrecondition for rows under another mask than a collection's."""

OF_ANOTHER_COLLECTION = frozenset({MASK_REFUSED, "COLLECTION_REPLACED"})
"""The reasons of one for what was made for a collection that had the name before."""


class CipherLensError(DomainError):
    """A call that the server refused or did not answer.

    Attributes:
        message: what went wrong, in the server's words where it answered.
        code: the gRPC status.
        reason: a word that programs can act on, such as "STALE_REVISION"; empty where the
            answer came from gRPC itself and carries no details.
        metadata: the field, limit and value at fault, as far as they apply.
        retry_after_s: how long the server asks to wait before another try, if it does.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: Mapping[str, str] = MappingProxyType({}),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata)
        self.retry_after_s = retry_after_s


class InvalidArgument(CipherLensError):
    """The server names a field that is not as it must be."""


class NotFound(CipherLensError):
    """There is no collection, model or item of that name."""


class AlreadyExists(CipherLensError):
    """The name is taken."""


class FailedPrecondition(CipherLensError):
    """The request does not fit the state of what it names; `reason` says how."""


class ResourceExhausted(CipherLensError):
    """The server has too much to do, or the message is larger than it accepts."""


class Unavailable(CipherLensError):
    """No server answers at the target, or it is stopping."""


class DeadlineExceeded(CipherLensError):
    """The answer did not come in time; whether the server did the work is not known."""


class Cancelled(CipherLensError):
    """The call was given up, as when the client is closed."""


class DataLoss(CipherLensError):
    """What the server holds is damaged."""


class Unauthenticated(CipherLensError):
    """The server does not know who is asking."""


class PermissionDenied(CipherLensError):
    """The server knows who is asking and refuses."""


class Unimplemented(CipherLensError):
    """The server at the target does not host this service."""


class ServerFailure(CipherLensError):
    """The server failed; its log says why."""


class UnreadableAnswer(CipherLensError):
    """The server answered with something that this version of the library does not read."""


_CLASSES: dict[grpc.StatusCode, type[CipherLensError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.DATA_LOSS: DataLoss,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
    grpc.StatusCode.INTERNAL: ServerFailure,
}


def error_of(code: grpc.StatusCode, message: str, details: ErrorDetails) -> CipherLensError:
    """Return the error of a status: its code, its text if it has one, and its details."""
    return _CLASSES.get(code, CipherLensError)(
        message or code.name.lower().replace("_", " "),
        code=code,
        reason=details.reason,
        metadata=details.metadata,
        retry_after_s=details.retry_after_s,
    )
