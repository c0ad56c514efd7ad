"""The file of tokens: what is in it stays, what is wrong with it is said."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cipherlens.server.access import Permission, Scope, TokenFile, TokenFileError, issue

SEARCH = Permission(Scope.SEARCH, "photos")


@pytest.fixture
def file(tmp_path) -> TokenFile:
    return TokenFile(tmp_path / "new" / "tokens.json")


def made(name: str):
    return issue(name, [SEARCH, Permission(Scope.SERVER)], timedelta(days=1))


def test_what_is_added_is_read_and_what_is_revoked_is_gone(file: TokenFile) -> None:
    assert not file.exists()
    assert file.read() == ()
    (first, a), (_, b) = made("a"), made("b")
    file.add(a)
    file.add(b)
    assert file.read() == (a, b)
    assert first.rpartition("_")[2] not in file.path.read_text()
    assert file.revoke("a") == a
    assert file.revoke(b.token_id) == b
    assert file.read() == ()
    assert file.exists()


def test_nobody_else_may_read_it(file: TokenFile) -> None:
    file.add(made("a")[1])
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_a_name_is_given_once_and_what_is_not_there_cannot_be_revoked(file: TokenFile) -> None:
    file.add(made("a")[1])
    with pytest.raises(TokenFileError, match="'a' already"):
        file.add(made("a")[1])
    with pytest.raises(TokenFileError, match="no token with the id or name 'b'"):
        file.revoke("b")


def test_programs_that_add_at_the_same_time_lose_none(file: TokenFile) -> None:
    names = [f"n{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: TokenFile(file.path).add(made(name)[1]), names))
    assert sorted(each.name for each in file.read()) == sorted(names)


def changed(file: TokenFile, change) -> None:
    document = json.loads(file.path.read_bytes())
    change(document)
    file.path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d["tokens"][0]["permissions"].append("admin:*"), "checksum does not fit"),
        (lambda d: d.update(version=2), "no file of tokens of version 1"),
        (lambda d: d.update(magic="other"), "no file of tokens"),
        (lambda d: d.pop("checksum"), "damaged, or no file"),
        (lambda d: d.update(tokens=3), "checksum does not fit"),
    ],
)
def test_damage_is_found(file: TokenFile, change, problem: str) -> None:
    file.add(made("a")[1])
    changed(file, change)
    with pytest.raises(TokenFileError, match=problem):
        file.read()


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"null"])
def test_what_is_no_such_file_is_refused(file: TokenFile, data: bytes) -> None:
    file.path.parent.mkdir()
    file.path.write_bytes(data)
    with pytest.raises(TokenFileError, match="damaged, or no file"):
        file.read()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_one_that_others_may_write_is_refused(file: TokenFile, mode: int) -> None:
    file.add(made("a")[1])
    file.path.chmod(mode)
    with pytest.raises(TokenFileError, match="others may write it"):
        file.read()


def test_a_folder_in_its_place_is_an_error_in_words(file: TokenFile) -> None:
    file.path.mkdir(parents=True)
    with pytest.raises(TokenFileError, match="cannot be read"):
        file.read()


def test_where_it_stands(tmp_path) -> None:
    assert TokenFile.of(tmp_path, None).path == tmp_path / "tokens.json"
    assert TokenFile.of(tmp_path, tmp_path / "my.keys").path == tmp_path / "my.keys.tokens"
    with pytest.raises(ValueError, match="a data folder or a keyring"):
        TokenFile.of(None, None)
