import json
import stat
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cipherlens.client import Client, Collection
from cipherlens.client.grant_log import GrantLog
from cipherlens.crypto import FormatError, Grant, Identity, KeyEntry, Rights, UnknownKey

NOW = datetime.now(UTC)


@pytest.fixture
def where(client: Client) -> Collection:
    return client.create_vector_collection(f"v-{uuid.uuid4()}", 4)


def made(key: KeyEntry, where: Collection, expires_at: datetime | None = None) -> Grant:
    recipient = Identity.generate("x").recipient
    return Grant.make(key, recipient, where.uuid, where.kind, Rights.OPEN, expires_at)


def test_what_was_granted_is_listed_and_ended(
    tmp_path: Path, key: KeyEntry, where: Collection
) -> None:
    log = GrantLog(tmp_path / "my.keys")
    assert log.records() == []
    first, second = made(key, where), made(key, where, NOW + timedelta(days=1))
    log.granted(first, where)
    log.granted(second, where)
    assert log.path == tmp_path / "my.keys.grants"
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    log.end(str(first.grant_id)[:8])
    log.end(str(first.grant_id))
    ended, standing = log.records()
    assert ended.ended_at is not None
    assert (ended.state(NOW), standing.state(NOW)) == ("ended", "stands")
    assert standing.state(NOW + timedelta(days=2)) == "expired"
    assert standing.collection == where.name
    assert len(log.path.read_text().splitlines()) == 3


def test_an_id_that_is_not_one_grants_is_refused(
    tmp_path: Path, key: KeyEntry, where: Collection
) -> None:
    log = GrantLog(tmp_path / "my.keys")
    log.granted(made(key, where), where)
    log.granted(made(key, where), where)
    for wrong in ("", "x", str(uuid.uuid4())):
        with pytest.raises(UnknownKey, match="have an id like"):
            log.end(wrong)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{",
            "[]",
            "1",
            '{"event": 1}\n{}',
            '{"event": "granted"}',
            '{"event": "ended"}',
            "[" * 9999,
        ),
        *('{"event": "ended", "grant_id": []}', '{"event": "ended", "grant_id": "a"}', "\ud800"),
    ],
)
def test_a_damaged_log_is_named(tmp_path: Path, text: str) -> None:
    log = GrantLog(tmp_path / "my.keys")
    log.path.write_text(text, errors="surrogatepass")
    with pytest.raises(FormatError, match="is damaged"):
        log.records()


@pytest.mark.parametrize(
    ("name", "value"), [("grant_id", 7), ("rights", None), ("made_at", "2026-01-01T00:00:00")]
)
def test_an_event_that_says_what_none_says_is_damage(
    tmp_path: Path, key: KeyEntry, where: Collection, name: str, value: object
) -> None:
    log = GrantLog(tmp_path / "my.keys")
    log.granted(made(key, where), where)
    event = json.loads(log.path.read_text())
    log.path.write_text(json.dumps(event | {name: value}))
    with pytest.raises(FormatError, match="is damaged"):
        log.records()
