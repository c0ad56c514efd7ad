"""What people do with a token of the scopes that docs/access.md gives them for it."""

from pathlib import Path

import pytest

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig

OWNER = ("--allow", "server", "--allow", "search,fetch,index,admin:*")


@pytest.fixture
def serving(run, tmp_path: Path, keyring: Path, checkpoint: Path):
    """A server with the collection "photos", and what makes the words of a token for it."""

    def token(name: str, *allowed: str) -> tuple[str, ...]:
        path = tmp_path / f"{name}.token"
        words = ("--data-dir", tmp_path / "data", "--out", path)
        assert run("token", "new", name, *words, *allowed).code == 0
        return ("--token-file", str(path))

    owner = token("owner", *OWNER)
    users = {
        scopes: token(scopes.replace(",", "-"), "--allow", f"{scopes}:photos")
        for scopes in ("index", "search", "fetch", "search,fetch", "admin")
    }
    server = CipherLensServer(ServerConfig(data_dir=tmp_path / "data", listen="127.0.0.1:0"))
    to = ("--server", f"127.0.0.1:{server.start()}")
    mine = ("--keyring", keyring, *to, *owner)
    assert run("collection", "create", "photos", "--kind", "cipher", *mine).code == 0
    assert run("model", "push", checkpoint, "--collection", "photos", *to, *owner).code == 0
    yield lambda scopes: (*to, *users[scopes])
    server.stop(0)


def test_who_may_index_fills_a_folder_and_goes_on(run, serving, keyring, folder: Path) -> None:
    words = ("index", "photos", folder, "--keyring", keyring, *serving("index"))
    first, again = run(*words), run(*words)
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert "5 indexed" in first.out
    assert "5 unchanged" in again.out
    query = ("search", "photos", folder / "a.png", "--keyring", keyring)
    refused = run(*query, *serving("index"), "--json")
    assert refused.code == 1
    assert refused.error["metadata"] == {"scope": "search", "collection": "photos"}


def test_who_may_search_and_fetch_finds_and_opens(run, serving, keyring, folder, tmp_path) -> None:
    run("index", "photos", folder, "--keyring", keyring, *serving("index"))
    query = ("search", "photos", folder / "a.png", "-k", 2, "--keyring", keyring, "--json")
    found = run(*query, *serving("search,fetch"))
    assert found.code == 0, found.err
    only_ids = run(*query, *serving("search"))
    assert only_ids.code == 0, only_ids.err
    assert len(only_ids.document["hits"]) == len(found.document["hits"]) == 2
    page = ("--html", tmp_path / "page.html")
    assert run(*query, *serving("search,fetch"), *page).code == 0
    (folder / "new.png").write_bytes((folder / "a.png").read_bytes())
    written = run("index", "photos", folder, "--keyring", keyring, *serving("search,fetch"))
    assert written.code == 1
    drop = ("collection", "drop", "photos", "--yes")
    assert run(*drop, *serving("search,fetch")).code == 1
    assert run(*drop, *serving("admin")).code == 0
