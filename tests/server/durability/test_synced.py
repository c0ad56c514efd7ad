"""What a program has done is on the disk when it says so: files, their names, and their folders."""

import random
import subprocess
import sys
import uuid

import numpy as np
import pytest

from cipherlens.client.cli.app import main
from cipherlens.client.manifests import ManifestFolder
from cipherlens.crypto import KeyEntry, Keyring, ListedItem
from cipherlens.server.access import TokenFile
from cipherlens.server.storage import IndexFiles, Kept, open_database, snapshot
from tests.server.durability import content
from tests.server.durability.life import DISK

PROGRAM = """
import sys
from pathlib import Path
from tests.server.durability import test_synced
getattr(test_synced, sys.argv[1])(Path(sys.argv[2]), Path(sys.argv[3]))
"""
PASSPHRASE = "a passphrase of some length"
COLLECTION = uuid.UUID(int=5)
KEPT = Kept({"fact": 1}, {"rows": np.arange(3000)})


def keeps_an_index(disk, _elsewhere):
    IndexFiles(disk / "new" / "indexes").write("x", KEPT)


def removes_an_index(disk, _elsewhere):
    files = IndexFiles(disk / "indexes")
    files.write("x", KEPT)
    files.remove("x")


def takes_a_snapshot(disk, elsewhere):
    snapshot.create(elsewhere / "data", disk / "taken")


def restores_a_snapshot(disk, elsewhere):
    snapshot.create(elsewhere / "data", elsewhere / "taken")
    snapshot.restore(elsewhere / "taken", disk / "restored")


def makes_a_token(disk, _elsewhere):
    words = ["token", "new", "w", "--data-dir", disk / "data", "--allow", "search:c"]
    command(*words, "--out", disk / "secret")


def makes_a_key(disk, elsewhere):
    (elsewhere / "pass").write_text(PASSPHRASE)
    (elsewhere / "pass").chmod(0o600)
    command("keys", "new", disk / "my.keys", "--passphrase-file", elsewhere / "pass")


def signs_a_manifest(disk, _elsewhere):
    key = KeyEntry.generate("k", content.PARAMETERS)
    folder = ManifestFolder(disk / "kept" / "manifests")
    folder.record(key, COLLECTION, {"a": ListedItem(1, bytes(32), False)})


def command(*words):
    assert main([str(each) for each in words]) == 0


@pytest.fixture
def done(tmp_path, supply):
    """Return a function that runs a program to its end, cuts the power, and returns the disk."""
    open_database(tmp_path / "data").close()

    def run(name):
        words = [sys.executable, "-c", PROGRAM, name, tmp_path / DISK, tmp_path]
        subprocess.run(words, check=True, env=supply.environment())
        supply.cut(random.Random(0))
        return tmp_path / DISK

    return run


def test_an_index_that_was_kept(done):
    kept = IndexFiles(done("keeps_an_index") / "new" / "indexes").read("x")
    assert np.array_equal(kept.arrays["rows"], KEPT.arrays["rows"])


def test_an_index_that_was_removed(done):
    """It would fit again, were the database put back to an older state and written to."""
    assert IndexFiles(done("removes_an_index") / "indexes").names() == []


def test_a_snapshot(done):
    snapshot.verify(done("takes_a_snapshot") / "taken")


def test_a_folder_that_was_restored(done):
    open_database(done("restores_a_snapshot") / "restored").close()


def test_a_token(done):
    disk = done("makes_a_token")
    assert [each.name for each in TokenFile.of(disk / "data", None).read()] == ["w"]
    assert (disk / "secret").read_text()


def test_a_key(done):
    path = done("makes_a_key") / "my.keys"
    path.chmod(0o600)
    assert Keyring.load(path, PASSPHRASE).get()


def test_a_manifest(done):
    folder = done("signs_a_manifest") / "kept" / "manifests"
    assert [path.stat().st_size > 0 for path in folder.iterdir()] == [True]
