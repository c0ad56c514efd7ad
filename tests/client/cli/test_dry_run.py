"""`--dry-run` says what a command would do, and leaves all as it is."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cipherlens.client import Client
from cipherlens.crypto import KeyEntry, Keyring
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig

DRY = ("--dry-run", "--json")


def test_a_collection_stays(run: Any, to: tuple[str, str], photos: str, client: Client) -> None:
    outcome = run("collection", "drop", photos, *to, *DRY)
    assert (outcome.code, outcome.document["dry_run"]) == (0, True)
    assert client.get_collection(photos).name == photos
    assert run("collection", "drop", "none", *to, *DRY).code == 3


def test_a_model_stays_and_it_is_told_where_the_server_would_keep_it(
    run: Any, to: tuple[str, str], photos: str, client: Client
) -> None:
    digest = client.get_collection(photos).active.model_digest
    outcome = run("model", "delete", digest.hex(), *to, "--dry-run")
    assert outcome.code == 1
    assert "has the model: it would be refused" in outcome.err
    assert digest in {each.digest for each in client.list_models()}


def test_a_key_stays(run: Any, tmp_path: Path, key: KeyEntry) -> None:
    path = tmp_path / "k.keys"
    other = KeyEntry.generate("other", key.parameters)
    Keyring([key, other]).save(path, unprotected=True)
    before = path.read_bytes()
    outcome = run("keys", "remove", path, "other", *DRY)
    assert (outcome.code, outcome.document["removed"]) == (0, "other")
    assert path.read_bytes() == before
    assert run("keys", "remove", path, "none", *DRY).code != 0


def test_a_rotation_tells_what_it_would_bring_over(
    run: Any, to: tuple[str, str], photos: str, folder: Path, keyring: Path, key: KeyEntry
) -> None:
    assert run("index", photos, folder, "--keyring", keyring, *to).code == 0
    assert run("keys", "new", keyring, "--name", "next").code == 0
    words = ("keys", "rotate", photos, "--keyring", keyring, *to)
    outcome = run(*words, "--to", "next", *DRY)
    assert (outcome.code, outcome.document["items"]) == (0, 5)
    assert (outcome.document["from_key"], outcome.document["key"]) == (key.name, "next")
    shown = run("collection", "show", photos, *to, "--json").document
    assert shown["profile"]["key_fingerprint"] == key.fingerprint.hex()
    assert "is under key" in run(*words, "--to", key.name, "--dry-run").err


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that a server has left, with three vectors in it."""
    server = CipherLensServer(
        ServerConfig(data_dir=tmp_path / "data", listen=f"unix:{tmp_path}/s", device="cpu")
    )
    server.start()
    with Client(f"unix:{tmp_path}/s") as client:
        client.create_vector_collection("v", 4)
        client.index_vectors("v", ["a", "b", "c"], np.eye(3, 4, dtype=np.float32))
    server.stop(0)
    return tmp_path / "data"


def test_a_snapshot_is_checked_and_not_brought_back(run: Any, tmp_path: Path, data: Path) -> None:
    snapshot, again = tmp_path / "snapshot", tmp_path / "again"
    assert run("snapshot", "create", data, snapshot).code == 0
    outcome = run("snapshot", "restore", snapshot, again, "--dry-run")
    assert (outcome.code, "would be restored" in outcome.out) == (0, True)
    assert not again.exists()
    assert "is there already" in run("snapshot", "restore", snapshot, data, "--dry-run").err
    (snapshot / "cipherlens.sqlite3").write_bytes(b"damaged")
    assert run("snapshot", "restore", snapshot, again, "--dry-run").code == 1


def test_a_migration_counts_what_there_is(run: Any, tmp_path: Path, data: Path) -> None:
    outcome = run("migrate", data, tmp_path / "other", *DRY)
    assert outcome.code == 0
    assert not (tmp_path / "other").exists()
    with sqlite3.connect(data / "cipherlens.sqlite3") as connection:
        (items,) = connection.execute("SELECT count(*) FROM items").fetchone()
    assert items == 3
    moved = run("migrate", data, tmp_path / "other", "--json").document
    assert (outcome.document["rows"], outcome.document["models"]) == (moved["rows"], 0)
    assert outcome.document["dry_run"] is True
