"""Moments, which travel as seconds and nanoseconds since 1970."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from cipherlens.wire.errors import MalformedMessage


def timestamp_message(microseconds: int) -> Timestamp:
    """Return the message of a moment, given in microseconds since 1970."""
    return Timestamp(seconds=microseconds // 10**6, nanos=microseconds % 10**6 * 1000)


def datetime_from(message: Timestamp) -> datetime:
    """Return the moment in a message, in UTC. Raises MalformedMessage if no calendar has it."""
    if not 0 <= message.nanos < 10**9:  # which not every version of protobuf looks at
        raise MalformedMessage("", f"{message.nanos} nanoseconds, where 0 to 999999999 can be")
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise MalformedMessage("", str(error)) from error
