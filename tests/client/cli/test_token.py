"""`cipherlens token`, and a server that asks for what it makes."""

import re
import shlex
import stat
from pathlib import Path

import pytest

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig

FORM = re.compile(r"clens_[0-9a-f]{16}_[0-9a-f]{64}\n")


def test_from_a_token_to_a_search_and_its_end(run, tmp_path: Path, monkeypatch) -> None:
    data = ("--data-dir", tmp_path / "data")
    made = run("token", "new", "alice", *data, "--allow", "search,fetch:photos", "--days", 1)
    assert made.code == 0
    assert FORM.fullmatch(made.out)
    assert "asks for tokens when it is started again" in made.err
    out = tmp_path / "root.token"
    everything = ("--allow", "server", "--allow", "search,fetch,index,admin:*")
    root = run("token", "new", "root", *data, *everything, "--out", out)
    assert (root.code, root.err) == (0, "")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_text() not in root.out

    listed = run("token", "list", *data)
    assert "search:photos fetch:photos" in listed.out
    assert made.out.split("_")[2].strip() not in listed.out
    names = [each["name"] for each in run("token", "list", *data, "--json").document["tokens"]]
    assert names == ["alice", "root"]

    server = CipherLensServer(ServerConfig(data_dir=tmp_path / "data", listen="127.0.0.1:0"))
    to = ("--server", f"127.0.0.1:{server.start()}")
    try:
        refused = run("collection", "list", *to, "--json")
        assert (refused.code, refused.error["code"]) == (1, "UNAUTHENTICATED")
        assert "--token-file" in refused.error["hint"]
        create = ("collection", "create", "photos", "--kind", "code", "--bits", 12, *to)
        monkeypatch.setenv("CIPHERLENS_TOKEN", made.out.strip())
        denied = run(*create, "--json")
        assert (denied.code, denied.error["metadata"]) == (1, {"scope": "server"})
        assert run(*create, "--token-file", out).code == 0
        assert run("collection", "show", "photos", *to).code == 0
    finally:
        server.stop(0)
    assert run("token", "revoke", "alice", *data).code == 0
    again = run("token", "revoke", "alice", *data)
    assert (again.code, "no token with the id or name 'alice'" in again.err) == (1, True)


def test_who_may_search_and_not_fetch_is_shown_ids(
    run, keyring: Path, hash_checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    data = ("--data-dir", tmp_path / "data")
    files = {name: tmp_path / f"{name}.token" for name in ("owner", "reader", "searcher")}
    for name, allowed in (
        ("owner", ("--allow", "server", "--allow", "index,search,fetch,admin:*")),
        ("reader", ("--allow", "search,fetch:photos")),
        ("searcher", ("--allow", "search:photos")),
    ):
        assert run("token", "new", name, *data, *allowed, "--out", files[name]).code == 0
    server = CipherLensServer(ServerConfig(data_dir=tmp_path / "data", listen="127.0.0.1:0"))
    to = ("--server", f"127.0.0.1:{server.start()}")
    network = ("--keyring", keyring, "--model", hash_checkpoint, "--device", "cpu")
    try:
        owner = (*to, "--token-file", files["owner"])
        made = run("collection", "create", "photos", "--kind", "code", "--bits", 24, *owner)
        assert made.code == 0
        assert run("index", "photos", folder, *network, *owner).code == 0
        query = ("search", "photos", folder / "a.png", "-k", 1, *network, *to, "--json")
        (named,) = run(*query, "--token-file", files["reader"]).document["hits"]
        searched = run(*query, "--token-file", files["searcher"])
        (unnamed,) = searched.document["hits"]
    finally:
        server.stop(0)
    assert (named["name"], unnamed["name"]) == ("a.png", None)
    assert named["item_id"] == unnamed["item_id"]
    assert searched.code == 0


def test_an_owners_tokens_stand_beside_his_keyring(run, keyring: Path, tmp_path: Path) -> None:
    words = ("token", "new", "app", "--allow", "trapdoor")
    refused = run(*words, "--data-dir", tmp_path)
    assert refused.code == 2
    assert "trapdoor is a scope of a server with a keyring" in refused.err
    made = run(*words, "--keyring", keyring, "--json").document
    assert made["allows"] == ["trapdoor"]
    assert FORM.fullmatch(made["token"] + "\n")
    assert keyring.with_name("my.keys.tokens").is_file()
    gone = run("token", "revoke", made["id"], "--keyring", keyring, "--json")
    assert gone.document == {"revoked": made["id"], "name": "app", "dry_run": False}


def test_a_dry_run_revokes_nothing(run, tmp_path: Path) -> None:
    data = ("--data-dir", tmp_path / "data")
    dry = ("token", "revoke", "alice", *data, "--dry-run")
    missing = run(*dry)
    assert (missing.code, "no token with the id or name 'alice'" in missing.err) == (1, True)
    assert not (tmp_path / "data").exists()
    made = run("token", "new", "alice", *data, "--allow", "server", "--json").document
    told = run(*dry, "--json").document
    assert told == {"revoked": made["id"], "name": "alice", "dry_run": True}
    assert run(*dry).out == f"token 'alice' ({made['id']}) would be revoked\n"
    assert len(run("token", "list", *data, "--json").document["tokens"]) == 1
    assert run(*dry[:-1]).code == 0
    assert run("token", "list", *data, "--json").document["tokens"] == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("x", "--allow", "read:photos"), "the scopes are search"),
        (("x", "--allow", "search"), "search needs names of collections"),
        (("x y", "--allow", "server"), "name: must be"),
        (("x", "--allow", "server", "--days", 0), "--days"),
        (("x",), "--allow"),
    ],
)
def test_wrong_use_makes_no_token(run, tmp_path: Path, words, problem: str) -> None:
    outcome = run("token", "new", *words, "--data-dir", tmp_path)
    assert outcome.code == 2
    assert problem in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_which_server_must_be_said_once(run, tmp_path: Path, keyring: Path) -> None:
    for words in ((), ("--data-dir", tmp_path, "--keyring", keyring)):
        outcome = run("token", "list", *words)
        assert outcome.code == 2
        assert "say which server's tokens" in outcome.err


def test_the_examples_of_the_help_make_tokens(
    run, tmp_path: Path, keyring: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = run("token", "new", "--help").out
    examples = [line for line in shown.splitlines() if line.startswith("    cipherlens token new")]
    assert len(examples) == 3
    for line in examples:
        made = run(*shlex.split(line)[1:])
        assert made.code == 0, line


def test_a_file_that_is_there_is_not_written_over(run, tmp_path: Path) -> None:
    out = tmp_path / "token"
    out.write_text("mine")
    data = ("--data-dir", tmp_path / "data")
    assert run("token", "new", "x", *data, "--allow", "server", "--out", out).code == 1
    assert out.read_text() == "mine"
    assert run("token", "list", *data, "--json").document == {"tokens": []}
