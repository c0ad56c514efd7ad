"""Ready rows from a file, and how much a command says."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from cipherlens.client import Client
from tests.client.cli.conftest import Run

VECTORS = np.random.default_rng(1).normal(size=(1003, 8)).astype(np.float32)
CODES = np.random.default_rng(2).integers(0, 256, (20, 6), dtype=np.uint8)


@pytest.fixture
def vectors(client: Client) -> str:
    return client.create_vector_collection(f"v-{uuid.uuid4()}", 8, masked=False).name


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    np.save(tmp_path / "rows.npy", VECTORS.astype(np.float64))
    return tmp_path / "rows.npy"


def test_a_file_of_vectors(
    run: Run, to: tuple[str, str], client: Client, vectors: str, saved: Path, tmp_path: Path
) -> None:
    dry = run("item", "put", vectors, saved, "--dry-run", *to)
    assert (dry.code, dry.out) == (0, f"1003 items would be written to '{vectors}'\n")
    assert client.get_collection(vectors).item_count == 0
    done = run("item", "put", vectors, saved, *to, "--json")
    assert (done.code, done.document["indexed"]) == (0, 1003)
    (hits,) = client.search_vectors(vectors, VECTORS[1001:1002], 1)
    assert hits[0].item_id == "1001"
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"face {number}\n" for number in range(1003)), encoding="utf-8")
    assert run("item", "put", vectors, saved, "--ids", ids, *to).code == 0
    assert client.get_collection(vectors).item_count == 2006


def test_a_file_of_masked_codes(
    run: Run, to: tuple[str, str], client: Client, keyring: Path, tmp_path: Path
) -> None:
    name = f"c-{uuid.uuid4()}"
    np.save(tmp_path / "codes.npy", CODES)
    words = (name, tmp_path / "codes.npy", *to)
    assert run("collection", "create", name, "--kind", "code", "--bits", 48, *to,
               "--keyring", keyring).code == 0  # fmt: skip
    assert run("item", "put", *words).code != 0
    assert run("item", "put", *words, "--keyring", keyring).code == 0
    (hits,) = client.search_codes(name, CODES[7:8], 1)
    assert (hits[0].item_id, hits[0].distance) == ("7", 0)


def test_rows_that_do_not_fit(
    run: Run, to: tuple[str, str], vectors: str, photos: str, saved: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "codes.npy", CODES)
    (tmp_path / "ids.txt").write_text("only one\n")
    for words, told in {
        (vectors, tmp_path / "codes.npy"): "takes rows of 8 float32, it has 6 uint8",
        (photos, saved): "holds cipher-images: 'index' makes them of pictures",
        (vectors, saved, "--ids", tmp_path / "ids.txt"): "each of the 1003 rows, it has 1",
        (vectors, tmp_path / "ids.txt"): "ids.txt",
    }.items():
        failed = run("item", "put", *words, *to)
        assert (failed.code, told in failed.err) == (2, True), failed.err


def test_what_would_be_deleted(
    run: Run, to: tuple[str, str], client: Client, vectors: str, saved: Path
) -> None:
    run("item", "put", vectors, saved, *to)
    dry = run("item", "delete", vectors, "3", "no such", "--dry-run", *to)
    assert (dry.code, dry.out) == (0, "1 of 2 items are there and would be deleted\n")
    assert client.get_collection(vectors).item_count == 1003


def test_quiet_and_verbose(
    run: Run, to: tuple[str, str], photos: str, folder: Path, keyring: Path
) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    words = ("index", photos, folder, "--keyring", keyring, *to)
    assert "skipped broken.png" in run(*words).err
    quiet = run("-q", *words)
    assert (quiet.err, quiet.out) == ("", "6 pictures found: 0 indexed, 5 unchanged, 1 skipped\n")
    told = run("-v", "count", photos, *to).err
    assert "Count answered after" in told
    assert "skipped broken.png" in run(*words).err
