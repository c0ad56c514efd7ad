"""`cipherlens doctor` on PostgreSQL and on engines of vectors, real ones."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cipherlens.client import Client
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import OwnDatabase, ServerConfig


def found_by(outcome: Any, name: str) -> tuple[str, str]:
    (found,) = [each for each in outcome.document["findings"] if each["name"] == name]
    return found["grade"], f"{found['seen']} / {found['advice']}"


@pytest.fixture
def url(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A database with pgvector; its password is in the environment, as of a server's."""
    made = postgres.vector_database()
    monkeypatch.setenv("CIPHERLENS_SERVE_DATABASE", made.revealed())
    yield made
    postgres.drop(made)


def test_what_a_server_has_in_pgvector(run: Any, tmp_path: Path, url: Any) -> None:
    data, vectors = tmp_path / "data", ("--vectors", "postgresql")
    outcome = run("doctor", "--data-dir", data, *vectors, "--json")
    assert outcome.code == 0
    assert found_by(outcome, "database")[0] == found_by(outcome, "vectors")[0] == "ok"
    assert "answers, version 0.8" in found_by(outcome, "vectors")[1]
    assert found_by(outcome, "tables")[0] == "note"
    assert not data.exists()
    serve_once(tmp_path, data, url)
    outcome = run("doctor", "--data-dir", data, *vectors, "--json")
    name = (data / "VECTORS").read_text().strip()
    assert found_by(outcome, "tables") == (
        "ok",
        f"1 of this data folder, their names begin with cl_{name}_ / ",
    )
    assert url.password not in outcome.out


def serve_once(folder: Path, data: Path, url: Any) -> None:
    """Serve until one collection's vectors are in the engine."""
    address = f"unix:{folder}/s"
    server = CipherLensServer(
        ServerConfig(
            data_dir=data, listen=address, device="cpu", database=url, vectors=OwnDatabase()
        )
    )
    server.start()
    with Client(address) as client:
        client.create_vector_collection("v", 4)
        client.index_vectors("v", ["a"], np.full((1, 4), 0.5, np.float32))
    index = server._engine._registry.find("v").serving.vectors
    index.train(0)
    server.stop(0)


def test_a_database_without_pgvector_or_without_rights(
    run: Any, tmp_path: Path, url: Any, postgres: Any
) -> None:
    doctor = ("doctor", "--data-dir", tmp_path, "--vectors", "postgresql", "--json")
    operator = postgres.operator_of(url)
    with postgres.connect(operator) as connection:
        connection.execute("CREATE SCHEMA cipherlens_vectors")
    outcome = run(*doctor)
    assert outcome.code == 1
    assert "the role may not CREATE tables in cipherlens_vectors" in found_by(outcome, "vectors")[1]
    with postgres.connect(operator) as connection:
        connection.execute("DROP EXTENSION vector")
    outcome = run(*doctor)
    assert outcome.code == 1
    assert "must CREATE EXTENSION vector" in found_by(outcome, "vectors")[1]


def test_engines_that_nobody_reaches(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("pymilvus")
    doctor = ("doctor", "--data-dir", tmp_path, "--json")
    outcome = run(*doctor, "--vectors", "milvus://127.0.0.1:9")
    assert (outcome.code, found_by(outcome, "vectors")[0]) == (1, "problem")
    assert "is it running" in found_by(outcome, "vectors")[1]
    outcome = run(*doctor, "--database", "postgresql://nobody@127.0.0.1:9/none")
    assert (outcome.code, found_by(outcome, "database")[0]) == (1, "problem")
    outcome = run(*doctor, "--database", "mysql://x")
    assert found_by(outcome, "settings")[0] == "problem"


def test_an_engine_goes_with_a_data_folder(run: Any) -> None:
    outcome = run("doctor", "--vectors", "milvus://127.0.0.1:9")
    assert outcome.code == 2
    assert "--data-dir or --config" in outcome.err


@pytest.mark.slow  # as all that starts Milvus
def test_what_a_server_has_in_milvus(run: Any, tmp_path: Path, milvus: Any) -> None:
    outcome = run("doctor", "--data-dir", tmp_path, "--vectors", milvus.url, "--json")
    assert outcome.code == 0
    assert found_by(outcome, "vectors")[0] == "ok"
    assert "answers, version v2." in found_by(outcome, "vectors")[1]
