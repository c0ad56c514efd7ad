"""One table: what each failure is to a gRPC caller."""

from collections.abc import Iterator, Mapping

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from cipherlens.model.errors import CheckpointError, ProfileMismatch
from cipherlens.server import errors

DOMAIN = "cipherlens"
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
        details=[_packed(detail) for detail in _details(error)] if known else [],
    )
    return rpc_status.to_status(found)


def _details(error: Exception) -> Iterator[message.Message]:
    reason = getattr(error, "reason", _screaming(type(error).__name__))
    yield error_details_pb2.ErrorInfo(
        reason=reason,
        domain=DOMAIN,
        metadata={name: _cut(value) for name, value in getattr(error, "metadata", {}).items()},
    )
    if isinstance(error, errors.InvalidField):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=_cut(str(error))
        )
        yield error_details_pb2.BadRequest(field_violations=[violation])
    if delay_s := getattr(error, "retry_after_s", None):
        delay = duration_pb2.Duration(nanos=int(delay_s * 1e9) % 10**9, seconds=int(delay_s))
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def _cut(text: str) -> str:
    """Return the beginning of a text that may quote what a caller sent.

    A status travels in headers, of which gRPC takes 8 KiB by default, and it holds the text twice.
    """
    data = text.encode()
    if len(data) <= _MAX_TEXT_BYTES:
        return text
    return data[:_MAX_TEXT_BYTES].decode(errors="ignore") + "..."


def _packed(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _screaming(name: str) -> str:
    """Return CheckpointError as CHECKPOINT_ERROR."""
    return "".join(f"_{each}" if each.isupper() else each for each in name).lstrip("_").upper()
