"""The commands against a real server."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cipherlens.crypto import Keyring


@pytest.fixture
def to(target: str) -> tuple[str, str]:
    return ("--server", target)


def test_from_collection_to_gallery(
    run, to, keyring: Path, checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    mine = ("--keyring", keyring)
    made = run("collection", "create", "photos", "--kind", "cipher", *mine, *to, "--json")
    assert made.code == 0
    assert made.document["kind"] == "cipher"
    early = run("index", "photos", folder, *mine, *to)
    assert early.code == 1
    assert "model push" in early.err
    assert run("model", "push", checkpoint, "--collection", "photos", *to).code == 0
    first = run("index", "photos", folder, *mine, *to)
    assert (first.code, first.out) == (0, "5 pictures found: 5 indexed, 0 unchanged, 0 skipped\n")
    (folder / "broken.png").write_bytes(b"x")
    again = run("index", "photos", folder, *mine, *to)
    assert again.out == "6 pictures found: 0 indexed, 5 unchanged, 1 skipped\n"
    assert "skipped broken.png: " in again.err
    as_json = run("index", "photos", folder, *mine, *to, "--json").document
    assert (as_json["complete"], as_json["unchanged"]) == (True, 5)
    assert [each["file"] for each in as_json["skipped"]] == ["broken.png"]

    page = tmp_path / "hits.html"
    query = folder / "deep/d.png"
    found = run("search", "photos", query, "-k", 3, *mine, *to, "--html", page, "--json")
    assert found.code == 0
    hits = found.document["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert hits[0]["item_id"] == "deep/d.png"
    assert hits[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert page.read_text().count("data:image/jpeg") == 2 + 2 * 3
    table = run("search", "photos", query, "-k", 3, *mine, *to)
    assert "deep/d.png" in table.out.splitlines()[1]

    out = tmp_path / "fetched"
    fetched = run("item", "fetch", "photos", "deep/d.png", *mine, *to, "--out", out)
    assert fetched.out == f"{out / 'deep/d.png'}\n"
    assert (out / "deep/d.png").read_bytes() == query.read_bytes()
    stored = run("item", "fetch", "photos", "a.png", "nobody", *to, "--out", out, "--json")
    assert stored.code == 3
    present, missing = stored.document["items"]
    assert present["files"] == [str(out / "a.png.cimg"), str(out / "a.png.sealed")]
    assert (missing["state"], missing["files"]) == ("missing", [])

    lines = run("item", "list", "photos", *to, "--json").out.splitlines()
    assert [json.loads(line)["item_id"] for line in lines][:2] == ["a.png", "b.png"]
    assert "a.png" in run("item", "list", "photos", *to).out
    assert run("item", "delete", "photos", "a.png", *to).code == 2
    deleted = run("item", "delete", "photos", "a.png", "nobody", "--yes", *to, "--json")
    assert deleted.document["deleted"] == 1
    shown = run("collection", "show", "photos", *to, "--json").document
    assert shown["item_count"] == 4
    assert shown["profile"]["block_size"] == 8
    assert run("collection", "show", "photos", *to).out.count("\n") > 10
    assert checkpoint.stem in run("model", "list", *to).out
    assert run("model", "list", *to, "--json").document["models"][0]["dimension"] == 16
    assert run("collection", "drop", "photos", *to).code == 2
    assert run("collection", "drop", "photos", "--yes", *to).code == 0
    assert run("collection", "show", "photos", *to).code == 3


def test_ready_vectors_and_codes(run, to) -> None:
    assert run("collection", "create", "v", "--kind", "vector", "--dimension", 8, *to).code == 0
    assert run("collection", "create", "c", "--kind", "code", "--bits", 12, *to).code == 0
    taken = run("collection", "create", "c", "--kind", "code", "--bits", 12, *to, "--json")
    assert (taken.code, taken.error["reason"]) == (1, "ALREADY_EXISTS")
    named = [
        each["name"] for each in run("collection", "list", *to, "--json").document["collections"]
    ]
    assert {"v", "c"} <= set(named)
    table = run("collection", "list", *to).out
    assert "12 bits" in table


def test_an_index_is_asked_for_and_shown(run, to) -> None:
    words = ("collection", "create", "graph", "--kind", "vector", "--dimension", 8)
    made = run(*words, "--index", "hnsw", *to, "--json")
    assert made.document["index_choice"] == "hnsw"
    shown = run("collection", "show", "graph", *to)
    assert ["asked", "for", "hnsw"] in [line.split() for line in shown.out.splitlines()]
    words = ("collection", "create", "codes", "--kind", "code", "--bits", 12)
    refused = run(*words, "--index", "hnsw", *to)
    assert refused.code == 2
    assert "index: codes have no graph" in refused.err
    assert run(*words, "--index", "tree", *to).code == 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--kind", "vector"), "--kind vector needs --dimension"),
        (("--kind", "code", "--bits", 12, "--dimension", 3), "does not take --dimension"),
        (("--kind", "cipher"), "--kind cipher needs --keyring"),
    ],
)
def test_options_that_do_not_go_together(run, to, words, sentence: str) -> None:
    outcome = run("collection", "create", "x", *words, *to)
    assert outcome.code == 2
    assert sentence in outcome.err


def test_another_key_is_refused_by_name(
    run, to, keyring: Path, checkpoint, folder, tmp_path, image_key
) -> None:
    other = tmp_path / "other.keys"
    Keyring([image_key]).save(other, unprotected=True)
    run("collection", "create", "mine", "--kind", "cipher", "--keyring", keyring, *to)
    run("model", "push", checkpoint, "--collection", "mine", *to)
    run("index", "mine", folder, "--keyring", keyring, *to)
    index = run("index", "mine", folder, "--keyring", other, *to)
    assert index.code == 2
    assert image_key.fingerprint.hex() in index.err
    search = run("search", "mine", folder / "a.png", "--keyring", other, *to, "--json")
    assert search.code == 1
    assert search.error["code"] == "FAILED_PRECONDITION"
    fetch = run("item", "fetch", "mine", "a.png", "--keyring", other, *to, "--out", tmp_path)
    assert fetch.code == 1
    assert "does not open" in fetch.err
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "item_id", ["../../escape.png", "/abs.png", "a/../b.png", "a//b.png", "./a.png", "..", "."]
)
def test_no_id_leads_out_of_the_folder(item_id: str, tmp_path: Path) -> None:
    from cipherlens.client.cli.item import _relative_path

    path = tmp_path / (_relative_path(item_id) + ".png")
    assert path.resolve().parent == tmp_path.resolve()


def test_an_id_that_is_a_path_stays_one() -> None:
    from cipherlens.client.cli.item import _relative_path

    assert _relative_path("deep/er/ü b.png") == "deep/er/ü b.png"


def test_serve_says_where_it_listens_and_stops_when_told(tmp_path: Path) -> None:
    words = ["serve", "--data-dir", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [sys.executable, "-m", "cipherlens.client.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert line.startswith("cipherlens: listening on 127.0.0.1:")


def test_serve_refuses_a_key_in_the_cloud(run, keyring: Path, tmp_path: Path) -> None:
    outcome = run("serve", "--data-dir", tmp_path / "d", "--keyring", keyring)
    assert outcome.code == 2
    assert "the cloud never holds keys" in outcome.err


def test_the_options_of_tls_go_together(run, tmp_path: Path) -> None:
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-listen", "127.0.0.1:0")
    assert outcome.code == 2
    assert "--tls-listen, --tls-certificate and --tls-key go together" in outcome.err
    files = ("--tls-certificate", tmp_path / "c.pem", "--tls-key", tmp_path / "k.pem")
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-listen", "here", *files)
    assert outcome.code == 2
    assert "tls_listen must be HOST:PORT" in outcome.err
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-listen", "127.0.0.1:0", *files)
    assert outcome.code == 1
    assert f"the private key {tmp_path / 'k.pem'} cannot be read" in outcome.err


def test_what_is_no_checkpoint_is_named_before_anything_is_sent(run, tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no model at all, only words")
    outcome = run("model", "push", path, "--server", "127.0.0.1:1")
    assert outcome.code == 1
    assert f"{path}: no checkpoint" in outcome.err
