"""Snapshots at the command line, of a server that is running."""

from pathlib import Path

import numpy as np
import pytest

from cipherlens.client import Client


@pytest.fixture
def data_dir(tmp_path: Path):
    """The data folder of a server that runs, with a collection of codes."""
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import ServerConfig

    folder = tmp_path / "data"
    server = CipherLensServer(ServerConfig(data_dir=folder, listen="127.0.0.1:0", device="cpu"))
    with Client(f"127.0.0.1:{server.start()}") as client:
        client.create_code_collection("codes", 24)
        client.index_codes("codes", ["a", "b"], np.arange(6, dtype=np.uint8).reshape(2, 3))
        yield folder
    server.stop(1)


def test_a_running_server_is_copied_checked_and_brought_back(run, data_dir, tmp_path: Path) -> None:
    taken, restored = tmp_path / "taken", tmp_path / "restored"
    told = run("snapshot", "create", data_dir, taken)
    assert (told.code, told.out.startswith(f"{taken} is a snapshot of {data_dir}: 1 files")) == (
        0,
        True,
    )
    assert run("snapshot", "verify", taken, "--json").document["files"] == 1
    assert run("snapshot", "restore", taken, restored).code == 0
    assert (restored / "cipherlens.sqlite3").exists()


def test_what_cannot_be_is_said_in_a_line(run, data_dir, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    run("snapshot", "create", data_dir, taken)
    again = run("snapshot", "create", data_dir, taken)
    assert (again.code, again.err) == (1, f"cipherlens: {taken} is there already\n")
    (taken / "cipherlens.sqlite3").write_bytes(b"other")
    damaged = run("snapshot", "verify", taken)
    assert damaged.code == 1
    assert "is not what its manifest says" in damaged.err
    nowhere = run("snapshot", "create", tmp_path / "nowhere", tmp_path / "more")
    assert nowhere.code == 1
    assert "is no data folder of a server" in nowhere.err
