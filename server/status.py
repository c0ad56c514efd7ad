"""One table: what each failure is to a gRPC caller."""

from collections.abc import Mapping

import grpc
from google.rpc import status_pb2
from grpc_status import rpc_status

from cipherlens.base import ProfileMismatch
from cipherlens.model.errors import CheckpointError
from cipherlens.server import errors
from cipherlens.wire import ErrorDetails, details_message

_MAX_TEXT_BYTES = 600
INTERNAL_MESSAGE = "internal error; the server's log has the details"

Codes = Mapping[type[Exception], grpc.StatusCode]

CODES: Codes = {
    errors.InvalidField: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Refused: grpc.StatusCode.FAILED_PRECONDITION,
    errors.DataDamaged: grpc.StatusCode.DATA_LOSS,
    errors.QueueFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StorageFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.StorageUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Stopping: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExpired: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.CallCancelled: grpc.StatusCode.CANCELLED,
    CheckpointError: grpc.StatusCode.INVALID_ARGUMENT,
    ProfileMismatch: grpc.StatusCode.FAILED_PRECONDITION,
}


def status_code(error: Exception, codes: Codes = CODES) -> grpc.StatusCode:
    """Return the code of the nearest mapped ancestor, so subclasses inherit it."""
    mapped = (codes[each] for each in type(error).__mro__ if each in codes)
    return next(mapped, grpc.StatusCode.INTERNAL)


def rich_status(error: Exception, codes: Codes = CODES) -> grpc.Status:
    """Return the status of a failure with its google.rpc details.

    What is not in the table leaves as INTERNAL with a fixed sentence: its text may hold anything.
    """
    code = status_code(error, codes)
    known = code is not grpc.StatusCode.INTERNAL
    found = status_pb2.Status(
        code=code.value[0],
        message=_cut(str(error)) if known else INTERNAL_MESSAGE,
        details=details_message(_details(error)) if known else [],
    )
    return rpc_status.to_status(found)


def _details(error: Exception) -> ErrorDetails:
    return ErrorDetails(
        reason=getattr(error, "reason", _screaming(type(error).__name__)),
        metadata={name: _cut(value) for name, value in getattr(error, "metadata", {}).items()},
        field=error.field if isinstance(error, errors.InvalidField) else "",
        description=_cut(str(error)),
        retry_after_s=getattr(error, "retry_after_s", None),
    )


def _cut(text: str) -> str:
    """Return the beginning of a text that may quote what a caller sent.

    A status travels in headers, of which gRPC takes 8 KiB by default, and it holds the text twice.
    """
    data = text.encode()
    if len(data) <= _MAX_TEXT_BYTES:
        return text
    return data[:_MAX_TEXT_BYTES].decode(errors="ignore") + "..."


def _screaming(name: str) -> str:
    """Return CheckpointError as CHECKPOINT_ERROR."""
    return "".join(f"_{each}" if each.isupper() else each for each in name).lstrip("_").upper()
