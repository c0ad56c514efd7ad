import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest

from cipherlens.crypto import Keyring, Scope

VECTORS = Path(__file__).parents[2] / "vectors"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("correct horse\nignored\n")
    path.chmod(0o600)
    return path


def test_a_new_keyring_under_a_passphrase(run, tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "new.keys"
    outcome = run(
        "keys", "new", path, "--scope", "collection", "--block", 16, "--passphrase-file", secret
    )
    assert outcome.code == 0
    entry = Keyring.load(path, "correct horse").get()
    assert entry.fingerprint.hex() in outcome.out
    assert outcome.err == ""
    assert entry.parameters.scope is Scope.COLLECTION
    assert (entry.parameters.block_size, entry.parameters.substituted_blocks) == (16, 24)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_passphrase_may_come_from_the_environment(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIPHERLENS_PASSPHRASE", "from afar")
    assert run("keys", "new", tmp_path / "k").code == 0
    entry = Keyring.load(tmp_path / "k", "from afar").entries[0]
    assert (entry.name, entry.parameters.scope) == ("main", Scope.IMAGE)


def test_no_terminal_and_no_passphrase(run, tmp_path: Path) -> None:
    outcome = run("keys", "new", tmp_path / "k")
    assert outcome.code == 2
    assert "set CIPHERLENS_PASSPHRASE" in outcome.err
    assert not (tmp_path / "k").exists()


def test_an_unprotected_keyring_is_made_only_when_asked_and_with_a_warning(
    run, tmp_path: Path
) -> None:
    outcome = run("keys", "new", tmp_path / "k", "--no-passphrase", "--json")
    assert outcome.code == 0
    assert outcome.document["protected"] is False
    assert "warning" in outcome.err


def test_a_second_key_joins_the_first(run, keyring: Path) -> None:
    assert run("keys", "new", keyring, "--name", "second").code == 0
    assert [entry.name for entry in Keyring.load(keyring).entries] == ["small", "second"]
    again = run("keys", "new", keyring, "--name", "second")
    assert again.code == 2
    assert "already has a key named 'second'" in again.err
    assert len(Keyring.load(keyring).entries) == 2


def test_a_protected_keyring_is_not_opened_up(run, tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "k"
    run("keys", "new", path, "--passphrase-file", secret)
    outcome = run("keys", "new", path, "--name", "two", "--no-passphrase")
    assert outcome.code == 2
    assert Keyring.is_protected(path)


def test_what_is_shown_is_public(run, keyring: Path, key) -> None:
    table = run("keys", "show", keyring)
    assert table.code == 0
    assert key.fingerprint.hex() in table.out
    document = run("keys", "show", keyring, "--json").document
    (shown,) = document["keys"]
    assert shown["name"] == "small"
    assert shown["verify_key"] == key.verify_key.hex()
    assert key.root.hex() not in str(document)


def test_parameters_out_of_range_are_named(run, tmp_path: Path) -> None:
    outcome = run("keys", "new", tmp_path / "k", "--height", 33, "--no-passphrase", "--json")
    assert outcome.code == 2
    assert outcome.error["error"] == "height must be a multiple of block_size 16, got 33"
    assert outcome.out == ""


def test_a_wrong_passphrase(run, tmp_path: Path, secret: Path) -> None:
    path = tmp_path / "k"
    run("keys", "new", path, "--passphrase-file", secret)
    secret.write_text("wrong")
    outcome = run("keys", "show", path, "--passphrase-file", secret)
    assert outcome.code == 1
    assert "passphrase" in outcome.err


def test_a_keyring_that_others_can_read(run, keyring: Path) -> None:
    keyring.chmod(0o644)
    outcome = run("keys", "show", keyring)
    assert outcome.code == 1
    assert "chmod 600" in outcome.err


def test_an_empty_answer_to_the_prompt_is_refused_and_not_asked_for_again(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, default, **__: default)
    outcome = run("keys", "new", tmp_path / "k")
    assert outcome.code == 2
    assert "passphrase is empty" in outcome.err
    assert not (tmp_path / "k").exists()


def test_a_passphrase_that_is_not_needed(run, keyring: Path, secret: Path) -> None:
    outcome = run("keys", "show", keyring, "--passphrase-file", secret, "--json")
    assert outcome.code == 1
    assert outcome.error["hint"] == "leave --passphrase-file out"


def test_a_keyring_of_version_1_is_refused_until_it_is_upgraded(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIPHERLENS_PASSPHRASE", "correct horse battery staple")
    path = tmp_path / "k"
    path.write_bytes((VECTORS / "keyring_v1.json").read_bytes())
    path.chmod(0o600)
    refused = run("keys", "show", path)
    assert refused.code == 1
    assert "of version 1, whose readers could sign as the owner" in refused.err
    assert "'cipherlens keys upgrade KEYRING'" in refused.err
    assert run("keys", "upgrade", path).code == 0
    assert run("keys", "show", path).code == 0


def test_a_passphrase_file_that_others_may_read_is_refused(run, tmp_path: Path, secret) -> None:
    secret.chmod(0o644)
    outcome = run("keys", "new", tmp_path / "k", "--passphrase-file", secret)
    assert outcome.code == 1
    assert "has mode 0644: others may read the passphrase" in outcome.err
    assert not (tmp_path / "k").exists()


def test_a_passphrase_may_come_through_a_pipe(run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o644)
    writer = threading.Thread(target=pipe.write_text, args=["from a pipe\n"])
    writer.start()
    assert run("keys", "new", tmp_path / "k", "--passphrase-file", pipe).code == 0
    writer.join()
    assert len(Keyring.load(tmp_path / "k", "from a pipe").entries) == 1


def test_a_passphrase_is_changed(run, tmp_path: Path, secret: Path) -> None:
    path, new = tmp_path / "k", tmp_path / "new"
    new.write_text("battery staple\n")
    new.chmod(0o600)
    run("keys", "new", path, "--passphrase-file", secret)
    words = ("keys", "passphrase", path, "--passphrase-file", secret)
    assert run(*words, "--new-passphrase-file", new).code == 0
    (entry,) = Keyring.load(path, "battery staple").entries
    again = run(*words, "--new-passphrase-file", new)
    assert again.code == 1
    assert "is wrong" in again.err
    opened = run("keys", "passphrase", path, "--passphrase-file", new, "--no-passphrase")
    assert opened.code == 0
    assert "warning" in opened.err
    assert Keyring.load(path).entries == (entry,)


def test_a_key_is_exported_and_imported(run, keyring: Path, tmp_path: Path, key) -> None:
    out, other = tmp_path / "out.keys", tmp_path / "other.keys"
    run("keys", "new", keyring, "--name", "second")
    words = ("keys", "export", keyring, "small", "--out", out, "--no-passphrase")
    assert run(*words).code == 0
    assert Keyring.load(out).entries == (key,)
    assert run(*words).code == 2
    run("keys", "new", other, "--no-passphrase")
    assert run("keys", "import", other, out, "--json").document["imported"] == ["small"]
    assert Keyring.load(other).get("small") == key
    twice = run("keys", "import", other, out)
    assert twice.code == 2
    assert "already has a key named 'small'" in twice.err


def test_a_key_is_renamed_and_removed(run, keyring: Path, key) -> None:
    run("keys", "new", keyring, "--name", "second")
    assert run("keys", "rename", keyring, "small", "large").code == 0
    assert Keyring.load(keyring).get("large").fingerprint == key.fingerprint
    asked = run("keys", "remove", keyring, "large")
    assert asked.code == 2
    assert "--yes" in asked.err
    assert run("keys", "remove", keyring, "large", "--yes").code == 0
    assert [entry.name for entry in Keyring.load(keyring).entries] == ["second"]
    assert run("keys", "remove", keyring, "large", "--yes").code == 3


def test_rotate_says_what_it_takes(run, to, keyring: Path, client) -> None:
    run("keys", "new", keyring, "--name", "next")
    client.create_code_collection("rotated", 24)
    client.index_codes("rotated", ["a"], np.array([[1, 2, 3]], np.uint8))
    words = ("keys", "rotate", "rotated", "--keyring", keyring, *to)
    assert run(*words, "--to", "nobody").code == 3
    done = run(*words, "--to", "next", "--json").document
    assert (done["copied"], done["items"], done["key"]) == (1, 1, "next")
    again = run(*words, "--to", "small")
    assert again.code == 0
    assert "'rotated' is under key 'small': 1 items brought over" in again.out
