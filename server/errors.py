"""Failures that a caller is told of; `transport.status` gives each its code."""

from collections.abc import Mapping
from typing import ClassVar

from cipherlens.base import DomainError


class ServerError(DomainError):
    """A failure with a reason that programs can act on.

    `metadata` goes into google.rpc.ErrorInfo beside `reason`; it never holds secrets or pixels.
    """

    reason: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})


class InvalidField(ServerError):
    """A field of the request is not as it must be."""

    reason = "INVALID_FIELD"

    def __init__(
        self, field: str, problem: str, *, limit: object = None, value: object = None
    ) -> None:
        metadata = {"field": field}
        message = f"{field}: {problem}"
        if limit is not None:
            metadata["limit"] = str(limit)
            message += f" (limit {limit})"
        if value is not None:
            metadata["value"] = str(value)
            message += f", got {value}"
        super().__init__(message, metadata)
        self.field = field


class LimitExceeded(InvalidField):
    """A field is larger than this server accepts."""

    reason = "LIMIT_EXCEEDED"

    def __init__(self, field: str, *, limit: int, value: int, unit: str) -> None:
        super().__init__(field, f"too large in {unit}", limit=limit, value=value)


class NotFound(ServerError):
    """There is nothing of that name."""

    reason = "NOT_FOUND"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"no {what} named {name!r}", {"resource": what, "name": name})


class AlreadyExists(ServerError):
    """The name is taken."""

    reason = "ALREADY_EXISTS"

    def __init__(self, what: str, name: str) -> None:
        super().__init__(
            f"a {what} named {name!r} is there already", {"resource": what, "name": name}
        )


class Refused(ServerError):
    """The request is well formed but does not fit the state of what it names."""

    reason = "REFUSED"


class ProfileRefused(Refused):
    """A cipher-image or model claims another scheme, parameters or key."""

    reason = "PROFILE_MISMATCH"


class ModelRefused(Refused):
    """The collection takes no model, or is served by another than the request expects."""

    reason = "MODEL_MISMATCH"


class NoModel(ModelRefused):
    """The collection has no model yet; pushing one ends that."""

    reason = "NO_MODEL"


class StaleRevision(Refused):
    """The item is there with the same or a higher revision and other content."""

    reason = "STALE_REVISION"


class OutOfReach(Refused):
    """A search waits for a change that no write under way can bring."""

    reason = "SEQUENCE_OUT_OF_REACH"


class NumericModeRefused(ModelRefused):
    """The model computes here in other arithmetic than the one that made what is stored."""

    reason = "NUMERIC_MODE_MISMATCH"


class MaskRefused(Refused):
    """Vectors or codes are under another mask than the collection, or under none."""

    reason = "MASK_REFUSED"


class CollectionReplaced(Refused):
    """The collection of the name is another than the one that the request is made for."""

    reason = "COLLECTION_REPLACED"


class CollectionChanged(Refused):
    """The collection has changed since the caller looked."""

    reason = "COLLECTION_CHANGED"


class ModelInUse(Refused):
    """The model serves a collection, or fills one."""

    reason = "MODEL_IN_USE"


class DataDamaged(ServerError):
    """What is stored does not agree with its checksum, or is not there: a row or a model's file."""

    reason = "DATA_DAMAGED"


class QueueFull(ServerError):
    """More work is waiting than the server takes on; try again after `retry_after_s`."""

    reason = "QUEUE_FULL"
    retry_after_s: float = 0.1


class TooLong(ServerError):
    """A message is longer than this server takes; gRPC itself says it in these words."""

    reason = "LIMIT_EXCEEDED"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(
            f"Received message larger than max ({size_bytes} vs. {limit_bytes})",
            {"limit": str(limit_bytes), "value": str(size_bytes)},
        )


class Starting(ServerError):
    """The server listens and is still loading its collections; later it will answer."""

    reason = "STARTING"
    retry_after_s: float = 1.0


class Stopping(ServerError):
    """The server is shutting down; another, or the same one later, will answer."""

    reason = "STOPPING"
    retry_after_s: float = 1.0


class StorageUnavailable(ServerError):
    """The database did not take the change; nothing of it was kept."""

    reason = "STORAGE_UNAVAILABLE"
    retry_after_s: float = 0.5


class NotLeading(ServerError):
    """Another process writes to the database, or none does at this moment; nothing was changed."""

    reason = "NOT_LEADING"
    retry_after_s: float = 0.5

    def __init__(self) -> None:
        super().__init__(
            "this server follows another one, and the one that takes changes cannot be reached; "
            "nothing was changed"
        )


class VectorsUnavailable(ServerError):
    """The engine of the vectors does not answer, or is filled again; searches go on by themselves.

    What is written is acknowledged meanwhile: it is in the database. `detail` is for the log.
    """

    reason = "VECTORS_UNAVAILABLE"
    retry_after_s: float = 1.0

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


class OutcomeUnknown(ServerError):
    """The database was lost while it kept the change: nobody can say yet whether it has.

    What is served afterwards is what the database has then.
    """

    reason = "OUTCOME_UNKNOWN"
    retry_after_s: float = 1.0

    def __init__(self) -> None:
        super().__init__(
            "the connection to the database was lost as the change was committed: it is kept "
            "whole, or not at all; send the same request again"
        )


class IndexBehind(ServerError):
    """The change is on disk, and the index could not follow it yet.

    The same request is answered well once the index, which is made anew, has the change.
    """

    reason = "INDEX_BEHIND"
    retry_after_s: float = 1.0

    def __init__(self, name: str) -> None:
        super().__init__(
            f"collection {name!r}: the change is on disk, but searches cannot see it yet: the "
            "index is made anew; send the same request again",
            {"collection": name},
        )


class StorageFull(ServerError):
    """The disk is full; nothing of the change was kept."""

    reason = "STORAGE_FULL"


class DeadlineExpired(ServerError):
    """The caller's deadline passed before the work was begun."""

    reason = "DEADLINE_EXPIRED"


class CallCancelled(ServerError):
    """The caller went away before the work was begun."""

    reason = "CANCELLED"


class Unauthenticated(ServerError):
    """The caller does not say who he is, or what he says does not hold."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(ServerError):
    """The caller is known and may not do this."""

    reason = "PERMISSION_DENIED"


class StartupError(DomainError):
    """The server cannot start as configured; the message says what to change."""


class SnapshotError(DomainError):
    """A snapshot cannot be made, or is not whole; the message says what is wrong with it."""


class MoveError(DomainError):
    """Rows cannot be brought over to another database; the message says which, or what to do."""


class CannotListen(StartupError):
    """The address is taken, or is none of this machine."""

    def __init__(self, listen: str) -> None:
        super().__init__(
            f"cannot listen on {listen}: another program does already, or the address is not one "
            "of this machine"
        )
