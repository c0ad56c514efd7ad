"""`cipherlens migrate` at the command line: there and back, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from cipherlens.client import Client
from tests.postgres_server import PASSWORD


def served(folder: Path, database=None) -> list[str]:
    """Serve a folder, filled if it is new; return what a search finds."""
    from cipherlens.server.app import CipherLensServer
    from cipherlens.server.config import ServerConfig

    is_new = not folder.exists()
    server = CipherLensServer(
        ServerConfig(data_dir=folder, database=database, listen="127.0.0.1:0", device="cpu")
    )
    with Client(f"127.0.0.1:{server.start()}") as client:
        if is_new:
            client.create_code_collection("codes", 24)
            client.index_codes("codes", ["a", "b"], np.arange(6, dtype=np.uint8).reshape(2, 3))
        found = client.search_codes("codes", np.arange(6, dtype=np.uint8).reshape(2, 3), k=1)
    server.stop(1)
    return [each.item_ids[0] for each in found]


def test_a_folder_goes_there_and_back(run, postgres, tmp_path: Path, monkeypatch) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    assert served(tmp_path / "data") == ["a", "b"]
    url = postgres.bare_database()
    monkeypatch.setenv("CIPHERLENS_TO_DATABASE", url.revealed())
    told = run("migrate", tmp_path / "data", there)
    assert told.code == 0, told.err
    assert told.out.startswith(f"{there} has what {tmp_path}/data has, row by row: ")
    monkeypatch.delenv("CIPHERLENS_TO_DATABASE")
    assert served(there, url) == ["a", "b"]
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    bare = url.revealed().replace(f":{PASSWORD}", "")
    options = ("--from-database", bare, "--from-password-file", secret)
    document = run("migrate", there, back, *options, "--json").document
    assert (document["rows_there_before"], document["models"]) == (0, 0)
    assert served(back) == ["a", "b"]
    assert served(tmp_path / "data") == ["a", "b"]
    again = run("migrate", there, back, *options)
    assert again.code == 1
    assert "has data of its own" in again.err


def test_what_cannot_be_is_said_without_the_password(run, postgres, tmp_path: Path) -> None:
    url = postgres.new_database().revealed()
    nowhere = run("migrate", tmp_path / "nowhere", tmp_path / "there")
    assert (nowhere.code, "is no data folder of a server" in nowhere.err) == (1, True)
    served(tmp_path / "data")
    shown = run("migrate", tmp_path / "data", tmp_path / "there", "--to-database", url)
    assert (shown.code, "can be read by others" in shown.err) == (2, True)
    wrong = run("migrate", tmp_path / "data", tmp_path / "there", "--to-database", "mysql://x/y")
    assert (wrong.code, "postgresql://USER@HOST" in wrong.err) == (2, True)
    assert PASSWORD not in shown.err + wrong.err


@pytest.mark.parametrize("has_server", [False, True])
def test_doctor_looks_at_the_database(run, postgres, tmp_path: Path, has_server: bool) -> None:
    from cipherlens.server.storage import open_database

    url = postgres.new_database()
    database = open_database(tmp_path / "data", url)
    if not has_server:
        database.close()
    config = tmp_path / "c.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\ndatabase = "{url.revealed()}"\n')
    outcome = run("doctor", "--config", config, "--json")
    found = {each["name"]: each for each in outcome.document["findings"]}
    assert found["database"]["grade"] == found["schema"]["grade"] == "ok"
    assert found["holder"]["seen"] == ("a server holds it" if has_server else "no server holds it")
    assert PASSWORD not in outcome.out
    outcome = run("doctor", "--data-dir", tmp_path / "data", "--json")
    (of_folder,) = (each for each in outcome.document["findings"] if each["name"] == "database")
    assert (of_folder["grade"], "--config" in of_folder["advice"]) == ("note", True)
    if has_server:
        with database.write():
            pass  # it was not disturbed
        database.close()


def test_doctor_names_what_no_server_could_stand_on(run, postgres, tmp_path: Path) -> None:
    url = postgres.bare_database()
    with postgres.connect(url) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone()
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    config = tmp_path / "c.toml"
    config.write_text(f'data_dir = "{tmp_path}/data"\ndatabase = "{url.revealed()}"\n')
    outcome = run("doctor", "--config", config, "--json")
    found = {each["name"]: each for each in outcome.document["findings"]}
    assert (outcome.code, found["database"]["grade"]) == (1, "problem")
    assert "synchronous_commit = off" in found["database"]["seen"]
    assert PASSWORD not in outcome.out
