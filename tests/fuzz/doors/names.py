"""Names of strangers, on their way to a disk and to a terminal; the owner's list of his grants."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath, PureWindowsPath
from random import Random

from cipherlens.base import IndexChoice, Kind
from cipherlens.client.cli.console import json_text, visible
from cipherlens.client.cli.fetched import _relative_path
from cipherlens.client.core.collection import Collection, IndexStatus
from cipherlens.client.grant_log import GrantLog
from cipherlens.crypto import FormatError, Grant, Rights
from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField
from cipherlens.server.fields import check_item_id, check_name
from tests.fuzz.doors.keys import COLLECTION, NOW, OWNER, USER
from tests.fuzz.mutation import HOSTILE_TEXTS, mutated_text, mutating_json
from tests.fuzz.target import Target

_LIMITS = Limits()


def name(_folder):
    """A name: a path within a folder of any system, and a text that hides nothing."""

    def attempt(data):
        text = data.decode(errors="replace")
        path = _relative_path(text)
        assert visible(path) == path
        for folder in (PurePosixPath("/out"), PureWindowsPath("C:/out")):
            there = folder / path
            assert there.is_relative_to(folder)
            assert ".." not in there.parts
            assert there != folder
        assert not any(PureWindowsPath(part).is_reserved() for part in path.split("/"))
        assert not any(each in visible(text) for each in "\x1b\x07\x9b\u202e\r\0")
        assert json.loads(json_text(text)) == text
        return _taken(lambda: check_item_id("f", text, _LIMITS)) | _taken(
            lambda: check_name("f", text, _LIMITS)
        )

    return Target(
        name="name",
        seeds=[each.encode() for each in (*HOSTILE_TEXTS, "deep/er/ü b.png")],
        attempt=attempt,
        mutate=lambda data, rng: mutated_text(data.decode(errors="replace"), rng).encode(),
        most_bytes=5000,
    )


def _taken(check):
    try:
        check()
    except InvalidField:
        return False
    return True


def grant_log(folder):
    """The owner's list of his grants: a FormatError, or grants that can be looked at."""
    log = GrantLog(folder / "owner.keys")
    where = Collection(
        uuid=COLLECTION,
        name="photos",
        kind=Kind.CIPHER,
        dimension=0,
        bits=0,
        profile=None,
        active=None,
        shadow=None,
        sequence=0,
        item_count=0,
        damaged_count=0,
        index=IndexStatus(kind="", nlist=0, nprobe=0, device="cpu", sequence=0),
        created_at=NOW,
        index_choice=IndexChoice.AUTO,
    )
    for expires_at in (None, datetime.now(UTC) + timedelta(days=1)):
        made = Grant.make(OWNER, USER.recipient, COLLECTION, Kind.CIPHER, Rights.OPEN, expires_at)
        log.granted(made, where)
    log.end(str(made.grant_id))

    def attempt(data):
        log.path.write_bytes(data)
        try:
            records = log.records()
        except FormatError:
            return False
        states = {each.state(NOW) for each in records}
        assert states <= {"ended", "expired", "stands"}
        return bool(records)

    return Target(
        name="grant-log",
        seeds=[log.path.read_bytes()],
        attempt=attempt,
        mutate=mutating_json(_events, _lines),
    )


def _events(data):
    return [json.loads(line) for line in data.splitlines()]


def _lines(document: object, _rng: Random) -> bytes:
    events = document if isinstance(document, list) else [document]
    return b"".join(json.dumps(each).encode() + b"\n" for each in events)
