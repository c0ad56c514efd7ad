"""Originals of results, opened by a user who holds no key of his own."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from cipherlens.client import Client
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import KeyEntry, Keyring
from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import Role, ServerConfig


@pytest.fixture
def picture(folder: Path) -> Path:
    return folder / "a.png"


@pytest.fixture
def fetched(
    run, to, target, key: KeyEntry, tmp_path: Path, picture: Path, request: pytest.FixtureRequest
) -> list[Path]:
    """Two sealed originals of a collection, as a user without a keyring has fetched them."""
    name = request.node.name[:60].replace("_", "-")
    with Client(target, key=key) as client:
        where = client.create_code_collection(name, 24)
        codes = np.zeros((2, 3), np.uint8)
        client.index_codes(where, ["a.png", "b"], codes, originals=[picture, picture])
    out = tmp_path / "found"
    assert run("item", "fetch", name, "a.png", "b", *to, "--out", out).code == 0
    return [out / "a.png.sealed", out / "b.sealed"]


@pytest.fixture
def tokens(tmp_path: Path, key: KeyEntry) -> TokenFile:
    """The tokens of an owner's server."""
    Keyring([key]).save(tmp_path / "owner.keys", unprotected=True)
    return TokenFile.of(None, tmp_path / "owner.keys")


@pytest.fixture
def owner(tokens: TokenFile, tmp_path: Path) -> Iterator[str]:
    """The address of the owner's service."""
    server = CipherLensServer(
        ServerConfig(
            data_dir=tmp_path / "owner",
            role=Role.OWNER,
            keyring=tmp_path / "owner.keys",
            require_tokens=True,
            listen="127.0.0.1:0",
        )
    )
    yield f"127.0.0.1:{server.start()}"
    server.stop(1)


@pytest.fixture
def bearing(tokens: TokenFile, key: KeyEntry, tmp_path: Path) -> tuple[object, ...]:
    """Return the words of a user whose token allows to open by this key."""
    token, record = issue("user", permissions_of(f"decrypt:{key.name}"), timedelta(days=1))
    tokens.add(record)
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(token)
    return ("--token-file", path, "--key", key.name)


def test_single_originals_open_without_a_keyring(
    run, fetched: list[Path], bearing, owner: str, key: KeyEntry, picture: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    words = ("open", *fetched, "--server", owner, *bearing, "--out", plain)
    done = run(*words, "--owner", key.verify_key.hex(), "--json")
    assert done.code == 0, done.err
    assert done.document["failed"] == []
    assert sorted(path.name for path in plain.iterdir()) == ["a.png", "b.png"]
    assert {path.read_bytes() for path in plain.iterdir()} == {picture.read_bytes()}
    again = run(*words)
    assert again.code == 1
    assert "--force writes over it" in again.err


def test_what_is_not_what_the_owner_sealed_there_is_not_written(
    run, fetched: list[Path], bearing, owner: str, key: KeyEntry, tmp_path: Path
) -> None:
    first, second = (read_sealed_file(path.read_bytes()) for path in fetched)
    cases = {
        "swapped": replace(first, sealed_original=second.sealed_original),
        "older": replace(first, revision=first.revision + 1),
        "cut": replace(first, sealed_original=first.sealed_original[:-1]),
        "altered": replace(first, sealed_original=first.sealed_original[:-70] + bytes(70)),
    }
    plain = tmp_path / "plain"
    words = ("--server", owner, *bearing, "--out", plain)
    for name, item in cases.items():
        path = tmp_path / f"{name}.sealed"
        path.write_bytes(sealed_file(item))
        assert run("open", path, *words).code == 5, name
    foreign = run("open", fetched[0], *words, "--owner", bytes(32).hex())
    assert foreign.code == 5
    assert key.verify_key.hex() in foreign.err
    assert list(plain.iterdir()) == []


def test_the_owner_says_who_may(
    run, fetched: list[Path], bearing, owner: str, tokens: TokenFile, tmp_path: Path
) -> None:
    words = ("open", fetched[0], "--server", owner, "--out", tmp_path / "plain")
    assert "a token is needed" in run(*words).err
    unnamed = run(*words, *bearing[:2])  # the token is for one key, which must be named
    assert unnamed.code == 1
    assert "does not allow decrypt with a key that is not named" in unnamed.err
    token, record = issue("other", permissions_of("decrypt:another-key"), timedelta(days=1))
    tokens.add(record)
    bearing[1].write_text(token)  # type: ignore[attr-defined]
    assert run(*words, *bearing).code == 1
    assert not (tmp_path / "plain" / "a.png").exists()
