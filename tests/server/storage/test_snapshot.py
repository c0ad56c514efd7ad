"""Snapshots of a folder that is served: of one moment, whole or not there, and damage is named."""

import contextlib
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.errors import SnapshotError
from cipherlens.server.storage import snapshot
from cipherlens.v1 import retrieval_service_pb2 as pb


def ids(count, prefix="i"):
    return [f"{prefix}{number}" for number in range(count)]


@pytest.fixture
def served(cloud, vectors, gaussian, checkpoint):
    """A server with vectors and a model."""
    cloud.create()
    cloud.index(ids(200), vectors=vectors(gaussian(200)), sealed=b"sealed")
    cloud.delete(ids(5))
    cloud.push(checkpoint(), name="m")
    return cloud


@pytest.fixture
def taken(served, tmp_path):
    """A snapshot of it."""
    snapshot.create(served.config.data_dir, tmp_path / "snapshot")
    return tmp_path / "snapshot"


def test_what_is_restored_is_what_was_there(served, taken, make_cloud, vectors, gaussian, tmp_path):
    before = served.state()
    served.index(ids(3, "late"), vectors=vectors(gaussian(3, seed=9)))
    served.stop()
    assert snapshot.verify(taken).files.keys() == {
        "cipherlens.sqlite3",
        *(f"models/{path.name}" for path in (served.config.data_dir / "models").iterdir()),
    }
    snapshot.restore(taken, tmp_path / "restored")
    restored = make_cloud("restored")
    assert restored.state() == before
    assert restored.ids_found(vectors=vectors(gaussian(200)[9]), k=1) == [["i9"]]
    assert restored.index(ids(1), revision=2, vectors=vectors(gaussian(1))).written_count == 1
    served.start()
    modes = {path: path.stat().st_mode & 0o777 for path in taken.rglob("*")}
    folders = {taken / "models": 0o700, taken / "MANIFEST.json": modes[taken / "MANIFEST.json"]}
    assert modes == {path: folders.get(path, 0o600) for path in modes}


def test_tokens_are_no_part_of_it(served, tmp_path):
    """So that restoring revives none that was revoked."""
    file = TokenFile.of(served.config.data_dir, None)
    _, record = issue("alice", permissions_of("search:*"), timedelta(days=1))
    file.add(record)
    snapshot.create(served.config.data_dir, tmp_path / "snapshot")
    assert file.path.name not in {path.name for path in (tmp_path / "snapshot").rglob("*")}
    snapshot.restore(tmp_path / "snapshot", tmp_path / "restored")
    assert not TokenFile.of(tmp_path / "restored", None).exists()


def test_a_snapshot_under_writes_is_of_one_moment(served, tmp_path, vectors, gaussian, make_cloud):
    """Batches are in it whole or not at all, and none acknowledged before it is missing."""
    rows, stop, written = gaussian(20), threading.Event(), []

    def write():
        number = 0
        while not stop.is_set():
            names = ids(20, f"b{number}/")
            served.index(names, vectors=vectors(rows), sealed=b"s" * 10_000)
            written.append(names)
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            acknowledged = list(written)
            snapshot.create(served.config.data_dir, tmp_path / f"s{number}")
            while len(written) < len(acknowledged) + 2:
                assert writer.is_alive()
    finally:
        stop.set()
        writer.join(20)
    snapshot.restore(tmp_path / "s2", tmp_path / "restored")
    there = set(make_cloud("restored").listed())
    for names in written:
        assert len(there.intersection(names)) in (0, 20)
    assert {name for names in acknowledged for name in names} <= there


@pytest.mark.parametrize("name", ["cipherlens.sqlite3", "model", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_damage_is_named_and_not_restored(taken, tmp_path, name, damage):
    (model,) = (taken / "models").iterdir()
    path = model if name == "model" else taken / name
    data = bytearray(path.read_bytes())
    if damage == "changed":
        data[len(data) // 2] ^= 1
    path.write_bytes(data[: len(data) - (damage == "cut") * 9])
    if damage == "gone":
        path.unlink()
    for use in (snapshot.verify, lambda folder: snapshot.restore(folder, tmp_path / "restored")):
        with pytest.raises(SnapshotError, match=path.name):
            use(taken)
    assert [each.name for each in tmp_path.iterdir() if "restored" in each.name] == []


def test_a_database_that_is_damaged_itself_is_named(taken):
    """The manifest vouches for the bytes, and SQLite for what they say."""
    path = taken / "cipherlens.sqlite3"
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096] = 0xFF
    path.write_bytes(data)
    found = snapshot._read_manifest(taken).files
    sha256 = hashlib.sha256(data).hexdigest()
    manifest = snapshot._manifest({**found, path.name: (len(data), sha256)})
    (taken / "MANIFEST.json").write_bytes(manifest)
    with pytest.raises(SnapshotError, match="is damaged"):
        snapshot.verify(taken)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "models/../../x", "other"])
def test_a_manifest_leads_nowhere_else(taken, tmp_path, name):
    found = snapshot._read_manifest(taken).files
    manifest = snapshot._manifest({**found, name: (1, "00")})
    (taken / "MANIFEST.json").write_bytes(manifest)
    with pytest.raises(SnapshotError, match="no part"):
        snapshot.restore(taken, tmp_path / "restored")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"sha256": 1, "files": 3}', "\x00"])
def test_what_is_no_manifest_is_refused(taken, text):
    (taken / "MANIFEST.json").write_text(text)
    with pytest.raises(SnapshotError, match="MANIFEST"):
        snapshot.verify(taken)


def test_nothing_that_is_there_is_written_over(served, taken, tmp_path):
    before = {path: path.read_bytes() for path in taken.rglob("*") if path.is_file()}
    for make in (
        lambda: snapshot.create(served.config.data_dir, taken),
        lambda: snapshot.restore(taken, served.config.data_dir),
    ):
        with pytest.raises(SnapshotError, match="is there already"):
            make()
    assert before == {path: path.read_bytes() for path in taken.rglob("*") if path.is_file()}
    (tmp_path / "empty").mkdir()
    snapshot.restore(taken, tmp_path / "empty")
    with pytest.raises(SnapshotError, match="is no data folder"):
        snapshot.create(tmp_path / "nowhere", tmp_path / "more")


def test_a_damaged_model_is_named_and_nothing_is_left(served, tmp_path):
    (model,) = (served.config.data_dir / "models").iterdir()
    whole = model.read_bytes()
    model.write_bytes(whole[:-1])
    with pytest.raises(SnapshotError, match=f"model {model.stem} is damaged"):
        snapshot.create(served.config.data_dir, tmp_path / "snapshot")
    assert not [path for path in tmp_path.iterdir() if "snapshot" in path.name]
    model.write_bytes(whole)
    snapshot.create(served.config.data_dir, tmp_path / "snapshot")


def test_two_at_once_do_not_mix(served, tmp_path, monkeypatch):
    def meanwhile(*_arguments):
        with pytest.raises(SnapshotError, match="by another program"):
            snapshot.create(served.config.data_dir, tmp_path / "snapshot")
        return []

    monkeypatch.setattr(snapshot, "_models", meanwhile)
    snapshot.create(served.config.data_dir, tmp_path / "snapshot")
    assert json.loads((tmp_path / "snapshot" / "MANIFEST.json").read_text())["files"]


PROGRAM = "import sys; from pathlib import Path; from cipherlens.server.storage import snapshot; "


@pytest.mark.parametrize("act", ["create", "restore"])
def test_a_kill_leaves_no_half_snapshot(served, taken, tmp_path, act):
    """Wherever it comes: what is there under the name is whole, and the next one is made."""
    source = served.config.data_dir if act == "create" else taken
    served.index(ids(1), revision=2, vectors=pb_row(), sealed=b"s" * 8_000_000)
    out = tmp_path / "killed"
    words = [
        sys.executable,
        "-c",
        PROGRAM + f"print(flush=True); snapshot.{act}(*map(Path, sys.argv[1:]))",
    ]
    for round_ in range(10):
        child = subprocess.Popen([*words, source, out], stdout=subprocess.PIPE)
        child.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.002 * round_)
        child.send_signal(signal.SIGKILL)
        child.wait(20)
        child.stdout.close()
        if out.exists():
            if act == "create":
                snapshot.verify(out)
            else:
                assert (out / "cipherlens.sqlite3").stat().st_size
            shutil.rmtree(out)
    subprocess.run([*words, source, out], check=True, stdout=subprocess.DEVNULL)
    assert out.exists()
    assert not (tmp_path / ".killed.part").exists()


def pb_row():
    from cipherlens.v1 import representation_pb2

    return representation_pb2.Vectors(dimension=16, data=b"\x00\x00\x80\x3f" * 16)


def test_a_change_of_after_the_snapshot_is_not_waited_for(
    served, taken, make_cloud, failure, vectors, gaussian, tmp_path
):
    limits = served.config.limits
    later = 205 + limits.max_concurrent_calls * limits.max_batch_items + 1
    snapshot.restore(taken, tmp_path / "restored")
    restored = make_cloud("restored")
    question = pb.SearchRequest(
        collection="v", k=1, vectors=vectors(gaussian(1)), min_sequence=later
    )
    code, text, details = failure(restored.stub.Search, question, timeout=20)
    assert (code.name, details["ErrorInfo"].reason) == (
        "FAILED_PRECONDITION",
        "SEQUENCE_OUT_OF_REACH",
    )
    assert "before it was restored" in text
