"""One table: what each failure is to a caller."""

from collections.abc import Mapping

from google.rpc import code_pb2
from google.rpc.status_pb2 import Status

from cipherlens.base import ProfileMismatch
from cipherlens.model.errors import CheckpointError
from cipherlens.server import errors
from cipherlens.wire import ErrorDetails, details_message

_MAX_TEXT_BYTES = 600
INTERNAL_MESSAGE = "internal error; the server's log has the details"

Codes = Mapping[type[Exception], int]
"""The google.rpc code of each class of failure; subclasses have their nearest ancestor's."""

CODES: Codes = {
    errors.InvalidField: code_pb2.INVALID_ARGUMENT,
    errors.NotFound: code_pb2.NOT_FOUND,
    errors.AlreadyExists: code_pb2.ALREADY_EXISTS,
    errors.Refused: code_pb2.FAILED_PRECONDITION,
    errors.DataDamaged: code_pb2.DATA_LOSS,
    errors.QueueFull: code_pb2.RESOURCE_EXHAUSTED,
    errors.TooLong: code_pb2.RESOURCE_EXHAUSTED,
    errors.StorageFull: code_pb2.RESOURCE_EXHAUSTED,
    errors.StorageUnavailable: code_pb2.UNAVAILABLE,
    errors.NotLeading: code_pb2.UNAVAILABLE,
    errors.VectorsUnavailable: code_pb2.UNAVAILABLE,
    errors.OutcomeUnknown: code_pb2.UNAVAILABLE,
    errors.IndexBehind: code_pb2.UNAVAILABLE,
    errors.Starting: code_pb2.UNAVAILABLE,
    errors.Stopping: code_pb2.UNAVAILABLE,
    errors.DeadlineExpired: code_pb2.DEADLINE_EXCEEDED,
    errors.CallCancelled: code_pb2.CANCELLED,
    errors.Unauthenticated: code_pb2.UNAUTHENTICATED,
    errors.PermissionDenied: code_pb2.PERMISSION_DENIED,
    CheckpointError: code_pb2.INVALID_ARGUMENT,
    ProfileMismatch: code_pb2.FAILED_PRECONDITION,
}


def code_of(error: Exception, codes: Codes = CODES) -> int:
    """Return the code of the nearest mapped ancestor, so subclasses inherit it."""
    mapped = (codes[each] for each in type(error).__mro__ if each in codes)
    return next(mapped, code_pb2.INTERNAL)


def status_of(error: Exception, codes: Codes = CODES) -> Status:
    """Return the status of a failure with its google.rpc details.

    What is not in the table leaves as INTERNAL with a fixed sentence: its text may hold anything.
    """
    code = code_of(error, codes)
    if code == code_pb2.INTERNAL:
        return Status(code=code, message=INTERNAL_MESSAGE)
    return Status(code=code, message=_cut(str(error)), details=details_message(_details(error)))


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
    data = text.encode(errors="backslashreplace")  # JSON may hold half a letter, a message may not
    if len(data) <= _MAX_TEXT_BYTES:
        return data.decode()
    return data[:_MAX_TEXT_BYTES].decode(errors="ignore") + "..."


def _screaming(name: str) -> str:
    """Return CheckpointError as CHECKPOINT_ERROR."""
    return "".join(f"_{each}" if each.isupper() else each for each in name).lstrip("_").upper()
