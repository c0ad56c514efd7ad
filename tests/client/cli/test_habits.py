"""Small things that scripts rely on: is it there, is it made once, and how do names begin."""

import json
from pathlib import Path

import pytest

from cipherlens.client import Client
from cipherlens.crypto import CipherParameters, KeyEntry, Keyring
from tests.client.cli.conftest import Run


def test_whether_items_are_there(
    run: Run, to: tuple[str, str], keyring: Path, photos: str, folder: Path
) -> None:
    words = ("--keyring", keyring, *to)
    assert run("index", photos, folder, *words).code == 0
    there = run("item", "exists", photos, "a.png", "deep/d.png", *words, "--json")
    assert (there.code, set(there.document["items"].values())) == (0, {"present"})
    some = run("item", "exists", photos, "a.png", "deep/x.png", *words, "--json")
    assert some.code == 3
    assert some.document["items"] == {"a.png": "present", "deep/x.png": "missing"}
    listed = run("item", "list", photos, "--prefix", "deep/", *words, "--json").out
    names = sorted(json.loads(line)["name"] for line in listed.splitlines())
    assert names == ["deep/d.png", "deep/er/e.webp"]


@pytest.mark.parametrize(
    ("words", "others"),
    [
        (("--kind", "vector", "--dimension", 8), ("--kind", "vector", "--dimension", 9)),
        (("--kind", "code", "--bits", 48), ("--kind", "code", "--bits", 24)),
        (("--kind", "code", "--bits", 48), ("--kind", "code", "--bits", 48, "--index", "flat")),
        (("--kind", "code", "--bits", 48), ("--kind", "vector", "--dimension", 48)),
    ],
)
def test_a_collection_is_made_once(
    run: Run,
    to: tuple[str, str],
    client: Client,
    request: pytest.FixtureRequest,
    words: tuple[object, ...],
    others: tuple[object, ...],
) -> None:
    name = f"once-{abs(hash(request.node.nodeid))}"
    made = run("collection", "create", name, *words, *to, "--if-absent", "--json")
    again = run("collection", "create", name, *words, *to, "--if-absent", "--json")
    assert (made.code, again.code) == (0, 0)
    assert made.document["uuid"] == again.document["uuid"]
    assert run("collection", "create", name, *words, *to).code == 1
    other = run("collection", "create", name, *others, *to, "--if-absent")
    assert (other.code, "is there and is another" in other.err) == (1, True)


def test_one_of_another_key_is_not_taken_for_the_same(
    run: Run, to: tuple[str, str], keyring: Path, photos: str, tmp_path: Path
) -> None:
    words = ("collection", "create", photos, "--kind", "cipher", *to, "--if-absent")
    assert run(*words, "--keyring", keyring).code == 0
    other = tmp_path / "other.keys"
    Keyring([KeyEntry.generate("other", CipherParameters())]).save(other, unprotected=True)
    told = run(*words, "--keyring", other)
    assert (told.code, "is there and is another, by its key" in told.err) == (1, True)
