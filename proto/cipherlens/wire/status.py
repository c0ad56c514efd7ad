"""What a failure carries beside its code and text: the details of google.rpc, made and read."""

import dataclasses
from collections.abc import Iterable, Mapping

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

DOMAIN = "cipherlens"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class ErrorDetails:
    """What programs can act on.

    Attributes:
        reason: a word such as "STALE_REVISION"; empty where a status came without details.
        metadata: the field, limit and value at fault, as far as they apply.
        field: the field of the request that is wrong; empty if the failure is not about one.
        description: what is wrong with that field.
        retry_after_s: how long to wait before another try; None where none will help.
    """

    reason: str = ""
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    field: str = ""
    description: str = ""
    retry_after_s: float | None = None


def details_message(details: ErrorDetails) -> list[Any]:
    """Return the details as google.rpc.Status takes them."""
    messages: list[Message] = [
        ErrorInfo(reason=details.reason, domain=DOMAIN, metadata=details.metadata)
    ]
    if details.field:
        violation = BadRequest.FieldViolation(field=details.field, description=details.description)
        messages.append(BadRequest(field_violations=[violation]))
    if details.retry_after_s is not None:
        seconds = int(details.retry_after_s)
        nanos = int(details.retry_after_s * 1e9) % 10**9
        messages.append(RetryInfo(retry_delay=Duration(seconds=seconds, nanos=nanos)))
    return [_packed(each) for each in messages]


def details_from(packed: Iterable[Any]) -> ErrorDetails:
    """Return what the details of a status say; what is not known, or broken, is passed over."""
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    asked_to_wait = False
    for each in packed:
        _unpack(each, info)
        _unpack(each, bad)
        asked_to_wait = _unpack(each, retry) or asked_to_wait
    violation = bad.field_violations[0] if bad.field_violations else BadRequest.FieldViolation()
    return ErrorDetails(
        reason=info.reason,
        metadata=dict(info.metadata),
        field=violation.field,
        description=violation.description,
        retry_after_s=_seconds(retry.retry_delay) if asked_to_wait else None,
    )


def _unpack(packed: Any, message: Message) -> bool:
    """Fill a message if it is of its type and decodes, and return whether it is."""
    try:
        return packed.Unpack(message)
    except DecodeError:
        message.Clear()
        return False


def _seconds(delay: Duration) -> float:
    return max(0.0, delay.seconds + delay.nanos / 1e9)


def _packed(message: Message) -> Any:
    packed = Any()
    packed.Pack(message)
    return packed
