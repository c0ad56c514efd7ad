"""The gate: who is let in as the file of tokens is now."""

import logging
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cipherlens.server.access import (
    OPEN_GATE,
    Permission,
    Scope,
    TokenFile,
    TokenGate,
    gate_of,
    issue,
)
from cipherlens.server.access import gate as gate_module
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError, Unauthenticated

SEARCH = [Permission(Scope.SEARCH, "*")]


@pytest.fixture
def file(tmp_path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Let every call look at the file."""
    monkeypatch.setattr(gate_module, "LOOK_S", 0.0)


def added(file: TokenFile, name: str, days: float = 1) -> str:
    token, record = issue(name, SEARCH, timedelta(days=days))
    file.add(record)
    return token


def bearing(*values: str | bytes) -> list[tuple[str, str | bytes]]:
    return [("user-agent", "x"), *(("authorization", each) for each in values)]


def test_a_token_of_the_file_is_known(file: TokenFile) -> None:
    token = added(file, "alice")
    gate = TokenGate(file)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert gate.caller(bearing(f"{scheme} {token}")).name == "alice"


def test_everything_else_is_not(file: TokenFile) -> None:
    token, other = added(file, "alice"), issue("x", SEARCH, timedelta(1))[0]
    token_id, secret = token.split("_")[1], other.split("_")[2]
    gate = TokenGate(file)
    for values in (
        (),
        ("",),
        ("Bearer",),
        ("Bearer ",),
        (f"Basic {token}",),
        (token,),
        (f"Bearer {other}",),
        (f"Bearer clens_{token_id}_{secret}",),
        (f"Bearer {token[:-1]}",),
        (f"Bearer {token}0",),
        (f"Bearer {token.upper()}",),
        (f"Bearer {token}", f"Bearer {token}"),
        (f"Bearer {token}".encode(),),
    ):
        with pytest.raises(Unauthenticated) as caught:
            gate.caller(bearing(*values))
        assert secret not in str(caught.value)
        assert token.split("_")[2] not in str(caught.value)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory) -> tuple[str, TokenGate]:
    """A token, and a gate that knows it."""
    file = TokenFile(tmp_path_factory.mktemp("lasting") / "tokens.json")
    return added(file, "alice"), TokenGate(file)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=90)  # lone surrogates too


@example(shown=["\ud800"])
@given(shown=st.lists(ANY_TEXT | st.binary(max_size=90), max_size=3))
def test_whatever_else_is_shown_is_a_stranger(
    lasting: tuple[str, TokenGate], shown: list[str | bytes]
) -> None:
    token, gate = lasting
    for values in (shown, [f"Bearer {each!s}" for each in shown], [f"Bearer {token}", *shown, ""]):
        with pytest.raises(Unauthenticated):
            gate.caller(bearing(*values))
        assert gate.callers([bearing(*values)]) == [None]


def test_callers_together_are_who_they_are_alone(file: TokenFile) -> None:
    alice, bob = added(file, "alice"), added(file, "bob")
    gate = TokenGate(file)
    shown = [bearing(f"Bearer {each}") for each in (alice, bob, "clens_x", alice)]
    callers = gate.callers([*shown, bearing(), bearing(f"Bearer {bob}", f"Bearer {bob}")])
    names = [each and each.name for each in callers]
    assert names == ["alice", "bob", None, "alice", None, None]


def test_a_token_ends(file: TokenFile) -> None:
    token = added(file, "alice", days=1)
    (record,) = file.read()
    now = record.expires_at.timestamp()
    times = iter([now - 1, now])
    gate = TokenGate(file, wall_s=lambda: next(times))
    gate.caller(bearing(f"Bearer {token}"))
    with pytest.raises(Unauthenticated, match="unknown, revoked or expired"):
        gate.caller(bearing(f"Bearer {token}"))


def test_what_is_made_or_revoked_counts_without_a_restart(file: TokenFile, at_once) -> None:
    first = added(file, "first")
    gate = TokenGate(file)
    second = added(file, "second")
    assert gate.caller(bearing(f"Bearer {second}")).name == "second"
    file.revoke("first")
    with pytest.raises(Unauthenticated):
        gate.caller(bearing(f"Bearer {first}"))
    gate.caller(bearing(f"Bearer {second}"))


def test_a_damaged_file_lets_nobody_in_until_it_is_mended(file: TokenFile, at_once, caplog) -> None:
    token = added(file, "alice")
    gate = TokenGate(file)
    sound = file.path.read_bytes()
    file.path.write_bytes(b"{")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            with pytest.raises(Unauthenticated):
                gate.caller(bearing(f"Bearer {token}"))
    assert caplog.text.count("nobody is let in until the file of tokens is mended") == 1
    file.path.write_bytes(sound)
    gate.caller(bearing(f"Bearer {token}"))
    file.path.unlink()
    with pytest.raises(Unauthenticated):
        gate.caller(bearing(f"Bearer {token}"))


def test_the_file_is_not_looked_at_for_every_call(file: TokenFile, monkeypatch) -> None:
    token = added(file, "alice")
    gate = TokenGate(file)
    monkeypatch.setattr(gate_module, "_signature", lambda _: pytest.fail("it was looked at"))
    for _ in range(3):
        gate.caller(bearing(f"Bearer {token}"))


def test_tokens_are_asked_for_where_there_is_a_file_or_the_server_says_so(tmp_path) -> None:
    assert gate_of(ServerConfig(data_dir=tmp_path)) is OPEN_GATE
    shut = gate_of(ServerConfig(data_dir=tmp_path, require_tokens=True))
    with pytest.raises(Unauthenticated, match="a token is needed"):
        shut.caller([])
    file = TokenFile.of(tmp_path, None)
    file.add(issue("alice", SEARCH, timedelta(1))[1])
    file.revoke("alice")
    assert isinstance(gate_of(ServerConfig(data_dir=tmp_path)), TokenGate)
    file.path.write_bytes(b"")
    with pytest.raises(StartupError, match="damaged"):
        gate_of(ServerConfig(data_dir=tmp_path))
