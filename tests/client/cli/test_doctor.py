"""`cipherlens doctor` on what is sound and on what is not."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cipherlens.client import Client
from cipherlens.crypto import KeyEntry, Keyring
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig

PASSPHRASE = "a passphrase"


def graded(outcome: Any) -> dict[str, str]:
    return {each["name"]: each["grade"] for each in outcome.document["findings"]}


def advice(outcome: Any, name: str) -> str:
    (found,) = [each for each in outcome.document["findings"] if each["name"] == name]
    return f"{found['seen']} / {found['advice']}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that a server has left, with a collection in it."""
    server = CipherLensServer(
        ServerConfig(data_dir=tmp_path / "data", listen=f"unix:{tmp_path}/s", device="cpu")
    )
    server.start()
    with Client(f"unix:{tmp_path}/s") as client:
        client.create_vector_collection("v", 4)
        client.index_vectors("v", ["a"], np.ones((1, 4), np.float32))
    server.stop(0)
    return tmp_path / "data"


@pytest.fixture
def certificates(tmp_path: Path, run: Any) -> Path:
    assert run("tls", "dev-certs", tmp_path / "certs").code == 0
    return tmp_path / "certs"


def test_the_machine_and_what_is_installed(run: Any) -> None:
    outcome = run("doctor", "--json")
    found = graded(outcome)
    assert outcome.code == 0
    assert found["machine"] == found["python"] == found["packages"] == found["clock"] == "ok"
    assert found["faiss"] in ("ok", "warning")
    assert f"numpy {np.__version__}" in advice(outcome, "packages")


def test_two_wheels_of_faiss_at_once_are_a_problem_with_a_way_out(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [SimpleNamespace(name=each) for each in ("faiss-cpu", "faiss-gpu")]
    monkeypatch.setattr("cipherlens.server.index.device.metadata.distributions", lambda: both)
    outcome = run("doctor", "--json")
    assert (outcome.code, graded(outcome)["faiss"]) == (1, "problem")
    told = advice(outcome, "faiss")
    assert "faiss-cpu and faiss-gpu are installed over each other" in told
    assert "pip uninstall faiss-cpu faiss-gpu; pip install faiss-cpu, or faiss-gpu" in told


def test_a_sound_folder_is_found_sound_and_left_as_it_is(run: Any, data: Path) -> None:
    (data / "indexes").mkdir(exist_ok=True)
    (data / "indexes" / ".0123.part").touch()  # as a server leaves it while it writes
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    outcome = run("doctor", "--data-dir", data, "--json")
    found = graded(outcome)
    for name in ("data folder", "database file", "schema", "database", "lock", "index files"):
        assert found[name] == "ok", advice(outcome, name)
    assert "no server runs" in advice(outcome, "lock")
    after = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert {path: after[path] for path in before} == before


def test_a_running_server_is_seen_and_not_disturbed(run: Any, tmp_path: Path, data: Path) -> None:
    server = CipherLensServer(
        ServerConfig(data_dir=data, listen=f"unix:{tmp_path}/s", device="cpu")
    )
    server.start()
    try:
        outcome = run("doctor", "--data-dir", data, "--server", f"unix:{tmp_path}/s", "--json")
        assert outcome.code == 0
        assert "a server runs" in advice(outcome, "lock")
        assert graded(outcome)["database"] == graded(outcome)["server"] == "ok"
        with Client(f"unix:{tmp_path}/s") as client:
            client.index_vectors("v", ["b"], np.ones((1, 4), np.float32))
    finally:
        server.stop(0)


def test_what_others_reach_is_a_problem_with_the_command_that_mends_it(
    run: Any, data: Path
) -> None:
    data.chmod(0o755)
    outcome = run("doctor", "--data-dir", data, "--json")
    assert outcome.code == 1
    assert f"chmod 700 {data}" in advice(outcome, "data folder")


def test_a_damaged_database_is_a_problem(run: Any, data: Path) -> None:
    database = data / "cipherlens.sqlite3"
    content = bytearray(database.read_bytes())
    content[4096 : 4096 + 2000] = os.urandom(2000)
    database.write_bytes(content)
    outcome = run("doctor", "--data-dir", data, "--json")
    assert outcome.code == 1
    assert "snapshot restore" in advice(outcome, "database")


def test_another_schema_is_told(run: Any, data: Path) -> None:
    with closing(sqlite3.connect(data / "cipherlens.sqlite3")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '99'")
        connection.commit()
    outcome = run("doctor", "--data-dir", data, "--json")
    assert graded(outcome)["schema"] == "note"
    assert "version 99" in advice(outcome, "schema")


def test_a_damaged_index_file_costs_a_slow_start_alone(run: Any, data: Path) -> None:
    (data / "indexes").mkdir(exist_ok=True)
    (data / "indexes" / "x.index").write_bytes(b"no index")
    outcome = run("doctor", "--data-dir", data, "--json")
    assert (outcome.code, graded(outcome)["index files"]) == (0, "warning")


def test_keyrings(run: Any, tmp_path: Path, key: KeyEntry) -> None:
    path = tmp_path / "my.keys"
    Keyring([key]).save(path, PASSPHRASE)
    assert graded(run("doctor", "--keyring", path, "--json"))["keyring"] == "ok"
    path.chmod(0o644)
    outcome = run("doctor", "--keyring", path, "--json")
    assert (outcome.code, graded(outcome)["keyring"]) == (1, "problem")
    bare = tmp_path / "bare.keys"
    Keyring([key]).save(bare, unprotected=True)
    assert graded(run("doctor", "--keyring", bare, "--json"))["keyring"] == "warning"


def written(folder: Path, data: Path, certificate: Path, key: Path) -> Path:
    path = folder / "c.toml"
    path.write_text(
        f'data_dir = "{data}"\n[tls]\nlisten = "127.0.0.1:0"\n'
        f'certificate = "{certificate}"\nkey = "{key}"\n'
    )
    return path


def test_files_of_a_configuration(run: Any, tmp_path: Path, data: Path, certificates: Path) -> None:
    pem, key = certificates / "server.pem", certificates / "server.key"
    outcome = run("doctor", "--config", written(tmp_path, data, pem, key), "--json")
    found = graded(outcome)
    assert (outcome.code, found["settings"], found["database"]) == (0, "ok", "ok")
    assert found["TLS certificate"] == found["TLS key"] == found["TLS pair"] == "ok"
    other = written(tmp_path, data, pem, certificates / "client.key")
    outcome = run("doctor", "--config", other, "--json")
    assert (outcome.code, graded(outcome)["TLS pair"]) == (1, "problem")
    outcome = run("doctor", "--config", written(tmp_path, data, key, key), "--json")
    assert graded(outcome)["TLS certificate"] == "problem"


def test_a_certificate_that_ends_soon(run: Any, tmp_path: Path, data: Path) -> None:
    assert run("tls", "dev-certs", tmp_path / "soon", "--days", "3").code == 0
    pem, key = tmp_path / "soon" / "server.pem", tmp_path / "soon" / "server.key"
    outcome = run("doctor", "--config", written(tmp_path, data, pem, key), "--json")
    assert (outcome.code, graded(outcome)["TLS certificate"]) == (0, "warning")


def test_settings_that_cannot_be(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[limits]\nmax_k = 0\n")
    outcome = run("doctor", "--config", path)
    assert outcome.code == 1
    assert "PROBLEM  settings: " in outcome.out


def test_a_server_that_does_not_answer(run: Any, tmp_path: Path) -> None:
    outcome = run("doctor", "--server", f"unix:{tmp_path}/nobody", "--json")
    assert (outcome.code, graded(outcome)["server"]) == (1, "problem")
    assert "is the server running?" in advice(outcome, "server")
