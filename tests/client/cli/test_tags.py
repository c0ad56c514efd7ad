"""Tags on the command line: given, read from files, searched among, counted and listed."""

import io
import json
from pathlib import Path

import pytest

from cipherlens.client import Client
from tests.client.cli.conftest import Run


@pytest.fixture
def tagged(run: Run, to: tuple[str, str], keyring: Path, photos: str, folder: Path) -> str:
    """A collection of the folder's pictures: all "all", a.png and deep/d.png "x" as well."""
    tags = folder.parent / "tags.csv"
    tags.write_text('a.png,x\n\n"deep/d.png",x,,"y, z"\nnot-there.png,x\n')
    done = run("index", photos, folder, "--keyring", keyring, "--tag", "all", "--tags", tags, *to)
    assert (done.code, done.err) == (0, "")
    return photos


def test_pictures_are_searched_by_tag(
    run: Run, to: tuple[str, str], keyring: Path, tagged: str, folder: Path
) -> None:
    def found(*words: str) -> list[str]:
        done = run("search", tagged, folder / "a.png", "--keyring", keyring, *words, *to, "--json")
        assert done.code == 0, done.err
        return sorted(hit["name"] for hit in done.document["hits"])

    assert len(found()) == len(found("--tag", "all")) == 5
    assert found("--tag", "x") == ["a.png", "deep/d.png"]
    assert found("--tag", "all", "--tag", "y, z") == ["deep/d.png"]
    assert found("--any-tag", "x", "--any-tag", "other", "--no-tag", "y, z") == ["a.png"]
    assert found("--tag", "other") == []


def test_items_are_counted_and_listed_with_their_tags(
    run: Run, to: tuple[str, str], keyring: Path, tagged: str
) -> None:
    counted = run("count", tagged, "--tag", "x", "--keyring", keyring, *to)
    assert (counted.code, counted.out) == (0, "2\n")
    everything = run("count", tagged, *to, "--json").document
    assert everything == {"collection": tagged, "count": 5}
    listed = run("item", "list", tagged, "--keyring", keyring, *to, "--json").out
    documents = {each["name"]: each["tags"] for each in map(json.loads, listed.splitlines())}
    assert documents["deep/d.png"] == ["all", "x", "y, z"]
    assert documents["b.png"] == ["all"]
    without = run("item", "list", tagged, *to, "--json").out
    assert all(json.loads(each)["tags"] is None for each in without.splitlines())
    assert "all, x, y, z" in run("item", "list", tagged, "--keyring", keyring, *to).out


def test_tags_stay_until_others_are_said(
    run: Run, to: tuple[str, str], keyring: Path, tagged: str, folder: Path, client: Client
) -> None:
    again = run("index", tagged, folder, "--keyring", keyring, *to, "--json").document
    assert (again["indexed"], again["unchanged"]) == (0, 5)
    lines = folder.parent / "tags.jsonl"
    lines.write_text('{"name": "b.png", "tags": ["new"]}\n\n')
    other = run("index", tagged, folder, "--keyring", keyring, "--tags", lines, *to, "--json")
    assert other.document["indexed"] == 5
    assert run("count", tagged, "--tag", "new", "--keyring", keyring, *to).out == "1\n"
    assert run("count", tagged, "--tag", "all", "--keyring", keyring, *to).out == "0\n"


def test_a_file_may_come_by_standard_input(
    run: Run,
    to: tuple[str, str],
    keyring: Path,
    photos: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("c.jpg,from a pipe\n"))
    words = ("--keyring", keyring, "--tags", "-", *to)
    assert run("index", photos, folder, *words).code == 0
    assert run("count", photos, "--tag", "from a pipe", "--keyring", keyring, *to).out == "1\n"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("t.csv", "a.png,x\nb.png, x\n", "entry 2: a tag must be a text without spaces around"),
        ("t.jsonl", '{"name": "a", "tags": ["x"]}\n{"name": "b"}\n', "entry 2: 'tags'"),
        ("t.jsonl", "[1]\n", "entry 1: "),
        ("t.jsonl", '{"name": "a", "tags": [1]}\n', "entry 1: it must be {'name': TEXT"),
        ("t.jsonl", "no json\n", "entry 1: "),
        ("t.csv", "a.png," + ",".join(map(str, range(65))), "entry 1: at most 64 tags, got 65"),
    ],
)
def test_a_file_that_cannot_be_understood_names_the_entry(
    run: Run,
    to: tuple[str, str],
    keyring: Path,
    photos: str,
    folder: Path,
    name: str,
    text: str,
    problem: str,
) -> None:
    path = folder.parent / name
    path.write_text(text)
    done = run("index", photos, folder, "--keyring", keyring, "--tags", path, *to)
    assert done.code == 2
    assert f"{path}, {problem}" in done.err


def test_tags_need_the_keyring(run: Run, to: tuple[str, str], photos: str) -> None:
    counted = run("count", photos, "--tag", "x", *to)
    assert (counted.code, "tags need --keyring" in counted.err) == (2, True)


def test_pictures_found_by_tag_are_verified(
    run: Run, to: tuple[str, str], keyring: Path, tagged: str, folder: Path
) -> None:
    words = (folder / "a.png", "--keyring", keyring, "--tag", "x", "--verify", *to, "--json")
    verified = run("search", tagged, *words)
    assert (verified.code, verified.document["problems"]) == (0, [])
    assert len(verified.document["hits"]) == 2
