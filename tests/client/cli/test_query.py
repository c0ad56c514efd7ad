"""What a search may be by: a file that was encrypted, ready rows, and an item that is stored."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from cipherlens.client import Client
from tests.client.cli.conftest import Outcome, Run

ROWS = np.random.default_rng(1).normal(size=(20, 24)).astype(np.float32)
CODES = np.random.default_rng(2).integers(0, 256, (20, 6), dtype=np.uint8)
IDS = [f"i{number:02}" for number in range(20)]


@pytest.fixture
def indexed(run: Run, to: tuple[str, str], keyring: Path, photos: str, folder: Path) -> str:
    assert run("index", photos, folder, "--keyring", keyring, *to).code == 0
    return photos


@pytest.fixture
def vectors(client: Client) -> str:
    name = f"v-{uuid.uuid4()}"
    client.index_vectors(client.create_vector_collection(name, 24), IDS, ROWS)
    return name


@pytest.fixture
def codes(client: Client) -> str:
    name = f"c-{uuid.uuid4()}"
    client.index_codes(client.create_code_collection(name, 48), IDS, CODES)
    return name


def names(outcome: Outcome) -> list[str]:
    assert outcome.code == 0, outcome.err
    return [hit["name"] or hit["item_id"] for hit in outcome.document["hits"]]


def test_an_item_finds_itself_by_its_name_or_id(
    run: Run, to: tuple[str, str], keyring: Path, indexed: str, client: Client
) -> None:
    words = ("--keyring", keyring, *to, "--json")
    by_name = run("search", indexed, "--like", "deep/d.png", *words)
    assert names(by_name)[0] == "deep/d.png"
    item_id = by_name.document["hits"][0]["item_id"]
    assert names(run("search", indexed, "--like", item_id, *words))[0] == "deep/d.png"
    missing = run("search", indexed, "--like", "deep/x.png", *words)
    assert (missing.code, "'deep/x.png' is missing" in missing.err) == (3, True)


def test_a_cipher_image_is_searched_by_as_it_is(
    run: Run, to: tuple[str, str], keyring: Path, indexed: str, folder: Path, tmp_path: Path
) -> None:
    assert run("encrypt", folder / "b.png", "--keyring", keyring, "--out", tmp_path).code == 0
    words = ("--keyring", keyring, *to, "--json")
    assert names(run("search", indexed, tmp_path / "b.png.cimg", *words))[0] == "b.png"


@pytest.mark.parametrize("stored", ["vectors", "codes"])
def test_ready_rows_are_masked_here(
    run: Run,
    to: tuple[str, str],
    keyring: Path,
    stored: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    collection = request.getfixturevalue(stored)
    rows, words = {"vectors": ROWS, "codes": CODES}[stored], ("--keyring", keyring, *to, "--json")
    np.save(tmp_path / "query.npy", rows[3:4])
    assert names(run("search", collection, tmp_path / "query.npy", *words))[0] == "i03"
    by_item = run("search", collection, "--like", "i03", "--readable-ids", *words)
    assert names(by_item)[0] == "i03"
    np.save(tmp_path / "two.npy", rows[:2])
    assert (
        "a search is by one row, it has 2"
        in run("search", collection, tmp_path / "two.npy", *words).err
    )
    other = {"vectors": CODES, "codes": ROWS}[stored]
    np.save(tmp_path / "other.npy", other[:1])
    wrong = run("search", collection, tmp_path / "other.npy", *words)
    assert (wrong.code, "holds the kind" in wrong.err) == (2, True)


@pytest.mark.parametrize(
    "rows", [np.zeros((1, 3), np.int64), np.zeros(3), np.array([[np.nan]]), np.array([object()])]
)
def test_a_file_that_holds_no_rows(
    run: Run, to: tuple[str, str], keyring: Path, vectors: str, tmp_path: Path, rows: np.ndarray
) -> None:
    np.save(tmp_path / "q.npy", rows, allow_pickle=True)
    told = run("search", vectors, tmp_path / "q.npy", "--keyring", keyring, *to)
    assert (told.code, "q.npy: " in told.err) == (2, True)


def test_one_query_and_a_picture_for_the_page(
    run: Run, to: tuple[str, str], keyring: Path, photos: str, folder: Path, tmp_path: Path
) -> None:
    words = ("--keyring", keyring, *to)
    for both in ((), (folder / "a.png", "--like", "a.png")):
        told = run("search", photos, *both, *words)
        assert (told.code, "name a picture, or an item" in told.err) == (2, True)
    page = run("search", photos, "--like", "a.png", "--html", tmp_path / "p.html", *words)
    assert (page.code, "--html shows a picture" in page.err) == (2, True)
