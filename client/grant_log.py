"""What an owner granted, in a file beside his keyring: a line of JSON for each event.

The file holds no secret, but says who may search what: mode 0600. A line is only ever appended, and
synced before the grant leaves, so that no grant is out that is not listed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cipherlens.base import sync_folder
from cipherlens.client.core.collection import Collection
from cipherlens.crypto import FormatError, Grant, UnknownKey, recipient_text

SUFFIX = ".grants"


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantRecord:
    """A grant as its owner listed it; `ended_at` is None while it stands."""

    grant_id: str
    recipient: str
    collection: str
    collection_uuid: str
    fingerprint: str
    rights: str
    made_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """Return "ended", "expired" or "stands"."""
        if self.ended_at is not None:
            return "ended"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "stands"


class GrantLog:
    """The grants of one keyring's owner."""

    def __init__(self, keyring: Path) -> None:
        """Take the path of the keyring; the log has its name and `SUFFIX`."""
        self.path = keyring.with_name(keyring.name + SUFFIX)

    def granted(self, grant: Grant, where: Collection) -> None:
        """Note a grant that was made. Raises OSError."""
        self._append(
            {
                "event": "granted",
                "grant_id": str(grant.grant_id),
                "recipient": recipient_text(grant.recipient),
                "collection": where.name,
                "collection_uuid": str(grant.collection_uuid),
                "fingerprint": grant.fingerprint.hex(),
                "rights": grant.rights.value,
                "made_at": grant.made_at.isoformat(),
                "expires_at": grant.expires_at and grant.expires_at.isoformat(),
            }
        )

    def end(self, grant_id: str) -> GrantRecord:
        """Note that a grant is ended, and return it; one that was ended before stays so.

        Raises:
            UnknownKey: there is none of that id, or of more than one it is the beginning.
            FormatError: the log is damaged.
        """
        found = [each for each in self.records() if each.grant_id.startswith(grant_id.lower())]
        if len(found) != 1 or not grant_id:
            raise UnknownKey(f"{len(found)} grants in {self.path} have an id like {grant_id!r}")
        (record,) = found
        if record.ended_at is None:
            ended_at = datetime.now(UTC).replace(microsecond=0).isoformat()
            self._append({"event": "ended", "grant_id": record.grant_id, "ended_at": ended_at})
        return record

    def records(self) -> list[GrantRecord]:
        """Return all grants, oldest first. Raises FormatError if the log is damaged."""
        try:
            ended = {each["grant_id"]: each["ended_at"] for each in self._events("ended")}
            return [_record(each, ended.get(each["grant_id"])) for each in self._events("granted")]
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"{self.path} is damaged: {error}") from error

    def _events(self, kind: str) -> Iterator[Mapping[str, str]]:
        if not self.path.exists():
            return
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                event = _event(line)
            except (ValueError, RecursionError) as error:
                raise FormatError(f"{self.path}, line {number}: it is damaged") from error
            if event.get("event") == kind:
                yield event

    def _append(self, event: Mapping[str, object]) -> None:
        """Put one line at the end, and wait for the disk."""
        new = not self.path.exists()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(os.open(self.path, flags, 0o600), "ab") as file:
            file.write((json.dumps(event) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_folder(self.path.parent)


def _event(line: str) -> Mapping[str, str]:
    """Return the event of a line: texts by name; what was null is left out. Raises ValueError."""
    event = json.loads(line)
    if not isinstance(event, dict) or "event" not in event:
        raise ValueError("it is no event")
    texts = {name: each for name, each in event.items() if each is not None}
    if not all(isinstance(each, str) for each in texts.values()):
        raise ValueError("it holds what is no text")
    return texts


def _record(event: Mapping[str, str], ended_at: str | None) -> GrantRecord:
    expires_at = event.get("expires_at")
    return GrantRecord(
        grant_id=event["grant_id"],
        recipient=event["recipient"],
        collection=event["collection"],
        collection_uuid=event["collection_uuid"],
        fingerprint=event["fingerprint"],
        rights=event["rights"],
        made_at=_moment(event["made_at"]),
        expires_at=_moment(expires_at) if expires_at else None,
        ended_at=_moment(ended_at) if ended_at else None,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} is of no time zone")
    return moment
