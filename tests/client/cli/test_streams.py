"""`-`: pictures from standard input and to standard output, through real pipes."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client
from cipherlens.client.cli.failure import CommandError
from cipherlens.client.cli.streams import check_output
from cipherlens.crypto import CipherImage

COMMAND = (sys.executable, "-m", "cipherlens.client.cli")


def piped(given: bytes, *words: object) -> "subprocess.CompletedProcess[bytes]":
    """Return what a process of `cipherlens` makes of its standard input."""
    return subprocess.run(
        [*COMMAND, *map(str, words)], input=given, capture_output=True, check=False
    )


@pytest.fixture
def picture(folder: Path) -> bytes:
    return (folder / "a.png").read_bytes()


def test_a_picture_goes_through_pipes_and_comes_back(picture: bytes, keyring: Path) -> None:
    key = ("--keyring", keyring, "--out", "-")
    sealed = piped(picture, "encrypt", "-", *key, "--seal")
    assert (sealed.returncode, sealed.stderr) == (0, b"")
    back = piped(sealed.stdout, "decrypt", "-", *key)
    assert (back.returncode, back.stdout) == (0, picture)


def test_a_cipher_image_goes_through_pipes_and_comes_back(
    picture: bytes, keyring: Path, tmp_path: Path
) -> None:
    image = piped(picture, "encrypt", "-", "--keyring", keyring, "--out", "-").stdout
    assert CipherImage.from_bytes(image).to_bytes() == image
    back = piped(image, "decrypt", "-", "--keyring", keyring, "--out", tmp_path)
    assert (back.returncode, back.stdout.decode().strip()) == (0, str(tmp_path / "stdin"))
    with Image.open(tmp_path / "stdin") as shown:
        assert shown.format == "PNG"


def test_searches_by_what_comes_in_and_items_that_go_out(
    run: Any,
    to: tuple[str, str],
    keyring: Path,
    photos: str,
    folder: Path,
    picture: bytes,
) -> None:
    words = ("--keyring", keyring, *to)
    assert run("index", photos, folder, *words).code == 0
    for query in (picture, piped(picture, "encrypt", "-", *words[:2], "--out", "-").stdout):
        found = piped(query, "search", photos, "-", "-k", 1, *words)
        assert (found.returncode, found.stdout.split()[-1]) == (0, b"a.png"), found.stderr
    fetched = piped(b"", "item", "fetch", photos, "a.png", "--out", "-", *words)
    assert (fetched.returncode, fetched.stdout) == (0, picture)
    listed = piped(b"", "item", "list", photos, *words[2:], "--json").stdout
    item_id = listed.split(b'"item_id": "')[1].split(b'"')[0].decode()
    stored = piped(b"", "item", "fetch", photos, item_id, "--out", "-", *words[2:]).stdout
    back = piped(stored, "decrypt", "-", *words[:2], "--out", "-")
    assert back.stdout in {each.read_bytes() for each in folder.rglob("*.*")}
    missing = piped(b"", "item", "fetch", photos, "none.png", "--out", "-", *words)
    assert (missing.returncode, missing.stdout) == (3, b"")


def test_a_vector_comes_in(run: Any, to: tuple[str, str], client: Client, keyring: Path) -> None:
    client.create_vector_collection("streamed", 4, masked=False)
    client.index_vectors("streamed", ["a", "b"], np.eye(2, 4, dtype=np.float32))
    file = io.BytesIO()
    np.save(file, np.eye(1, 4, 1, dtype=np.float32))
    found = piped(file.getvalue(), "search", "streamed", "-", "-k", 1, "--keyring", keyring, *to)
    assert (found.returncode, found.stdout.split()[-1]) == (0, b"b"), found.stderr


@pytest.mark.parametrize(
    ("given", "words", "told"),
    [
        (b"", ("encrypt", "-", "--out", "-"), "standard input has nothing"),
        (b"no picture", ("encrypt", "-", "--out", "-"), "not a picture"),
        (b"x", ("encrypt", "-", "-", "--out", "-"), "--out - takes one file at a time"),
        (b"x", ("encrypt", "-", "--out", "-", "--json"), "would be mixed"),
        (b"x", ("encrypt", "-", "--out", "-", "--view"), "--view writes a second file"),
        (b"x", ("decrypt", "-", "--out", "-"), "neither a cipher-image nor a sealed original"),
    ],
)
def test_what_does_not_go_through_a_pipe_is_told(
    keyring: Path, given: bytes, words: tuple[str, ...], told: str
) -> None:
    outcome = piped(given, *words, "--keyring", keyring)
    assert outcome.returncode in (1, 2)
    assert told in outcome.stderr.decode() + outcome.stdout.decode()


def test_nothing_goes_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(CommandError, match="would write to the terminal"):
        check_output(Path("-"), ["a"], as_json=False)
    check_output(Path("folder"), ["a", "b"], as_json=True)
