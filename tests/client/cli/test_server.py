"""The commands against a real server."""

import io
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from cipherlens.client import Client
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import Keyring, is_keyed_id


@pytest.fixture
def picture(tmp_path: Path, noise) -> Path:
    path = tmp_path / "picture.png"
    noise(21).save(path)
    return path


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
    assert hits[0]["name"] == "deep/d.png"
    assert is_keyed_id(hits[0]["item_id"])
    assert hits[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert page.read_text().count("data:image/jpeg") == 2 + 2 * 3
    table = run("search", "photos", query, "-k", 3, *mine, *to)
    assert "deep/d.png" in table.out.splitlines()[1]

    out = tmp_path / "fetched"
    fetched = run("item", "fetch", "photos", "deep/d.png", *mine, *to, "--out", out)
    assert fetched.out == f"{out / 'deep/d.png'}\n"
    assert (out / "deep/d.png").read_bytes() == query.read_bytes()
    ids = {each["name"]: each["item_id"] for each in listed(run, "photos", *mine, *to)}
    assert sorted(ids) == ["a.png", "b.png", "c.jpg", "deep/d.png", "deep/er/e.webp"]
    assert {each["name"] for each in listed(run, "photos", *to)} == {None}
    stored = run("item", "fetch", "photos", ids["a.png"], "nobody", *to, "--out", out, "--json")
    assert stored.code == 3
    present, missing = stored.document["items"]
    base = out / ids["a.png"]
    assert present["files"] == [f"{base}.cimg", f"{base}.sealed"]
    assert (missing["state"], missing["files"]) == ("missing", [])
    assert run("decrypt", f"{base}.sealed", *mine, "--out", out).code == 0
    assert base.read_bytes() == (folder / "a.png").read_bytes()

    assert "a.png" in run("item", "list", "photos", *mine, *to).out
    assert "a.png" not in run("item", "list", "photos", *to).out
    assert run("item", "delete", "photos", "a.png", *to).code == 2
    deleted = run("item", "delete", "photos", "a.png", "nobody", "--yes", *mine, *to, "--json")
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


def listed(run, collection: str, *words: object) -> list[dict[str, object]]:
    """Return the documents that `item list` prints."""
    lines = run("item", "list", collection, *words, "--json").out.splitlines()
    return [json.loads(line) for line in lines]


def test_readable_ids_are_names_for_everybody(
    run, to, keyring: Path, checkpoint: Path, folder: Path, tmp_path: Path
) -> None:
    mine = ("--keyring", keyring)
    run("collection", "create", "open", "--kind", "cipher", *mine, *to)
    run("model", "push", checkpoint, "--collection", "open", *to)
    assert run("index", "open", folder, "--readable-ids", *mine, *to).code == 0
    assert [each["item_id"] for each in listed(run, "open", *to)][:2] == ["a.png", "b.png"]
    assert run("index", "open", folder, *mine, *to).code == 2
    hits = run("search", "open", folder / "a.png", *mine, *to, "--json").document["hits"]
    assert hits[0]["name"] == hits[0]["item_id"] == "a.png"
    words = ("item", "fetch", "open", "a.png", *mine, *to, "--out", tmp_path / "out")
    assert run(*words).code == 3  # by its keyed id, under which nothing is
    assert run(*words, "--readable-ids").code == 0
    assert (tmp_path / "out/a.png").read_bytes() == (folder / "a.png").read_bytes()


def test_what_was_fetched_without_a_key_is_decrypted_later(
    run, to, target, keyring: Path, key, tmp_path: Path, picture: Path
) -> None:
    run("collection", "create", "bare", "--kind", "code", "--bits", 24, *to)
    with Client(target, key=key) as client:
        codes = np.zeros((2, 3), np.uint8)
        client.index_codes("bare", ["with.png"], codes[:1], originals=[picture])
        client.index_codes("bare", ["without"], codes[1:])
    out = tmp_path / "out"
    fetched = run("item", "fetch", "bare", "with.png", "without", *to, "--out", out, "--json")
    assert fetched.code == 1
    sealed, nothing = fetched.document["items"]
    assert (sealed["files"], sealed["error"]) == ([str(out / "with.png.sealed")], "")
    assert nothing["files"] == []
    assert "no sealed original" in nothing["error"]
    plain = tmp_path / "plain"
    done = run("decrypt", out / "with.png.sealed", "--keyring", keyring, "--out", plain)
    assert done.code == 0
    assert (plain / "with.png").read_bytes() == picture.read_bytes()


def test_fetching_writes_over_nothing_that_was_not_named(
    run, to, target, keyring: Path, key, tmp_path: Path, picture: Path
) -> None:
    run("collection", "create", "aged", "--kind", "code", "--bits", 24, *to)
    out, code = tmp_path / "out", np.zeros((1, 3), np.uint8)
    words = ("item", "fetch", "aged", "a.png", "b.png", *to, "--out", out, "--json")
    with Client(target, key=key) as client:
        for name in ("a.png", "b.png"):
            client.index_codes("aged", [name], code, originals=[picture], revisions=[2])
        assert run(*words).code == 0
        refused = run(*words)
        assert refused.code == 1
        assert [each["files"] for each in refused.document["items"]] == [[], []]
        assert "--force" in refused.document["items"][0]["error"]
        assert run(*words, "--force").code == 0
    # What was fetched of a server that knew revision 9, which this one has forgotten.
    newer = replace(read_sealed_file((out / "a.png.sealed").read_bytes()), revision=9)
    later = sealed_file(newer)
    (out / "a.png.sealed").write_bytes(later)
    (out / "b.png.sealed").unlink()
    older = run(*words, "--force")
    first, second = older.document["items"]
    assert older.code == 1
    assert "the server has revision 2" in first["error"]
    assert "the later one 9" in first["error"]
    assert (out / "a.png.sealed").read_bytes() == later
    assert second["files"] == [str(out / "b.png.sealed")]


def test_an_item_that_cannot_be_written_does_not_stop_the_others(
    run, to, target, keyring: Path, key, tmp_path: Path, picture: Path
) -> None:
    run("collection", "create", "blocked", "--kind", "code", "--bits", 24, *to)
    with Client(target, key=key) as client:
        names, codes = ["dir/a.png", "b.png"], np.zeros((2, 3), np.uint8)
        client.index_codes("blocked", names, codes, originals=[picture] * 2)
    out = tmp_path / "out"
    out.mkdir()
    (out / "dir").write_text("a file where a folder must be")
    mine = ("--keyring", keyring, "--readable-ids")
    fetched = run("item", "fetch", "blocked", *names, *to, *mine, "--out", out, "--json")
    assert fetched.code == 1
    first, second = fetched.document["items"]
    assert (first["files"], first["error"]) == ([], "File exists")
    assert second["files"] == [str(out / "b.png")]


def test_pruning_shows_what_it_deletes_and_asks(
    run, to, keyring: Path, checkpoint, folder: Path, tmp_path: Path, monkeypatch
) -> None:
    mine = ("--keyring", keyring)
    run("collection", "create", "pruned", "--kind", "cipher", *mine, *to)
    run("model", "push", checkpoint, "--collection", "pruned", *to)
    run("index", "pruned", folder, *mine, *to)
    (folder / "a.png").unlink()
    words = ("index", "pruned", folder, *mine, "--prune", *to)

    def left() -> int:
        return run("collection", "show", "pruned", *to, "--json").document["item_count"]

    dry = run(*words, "--dry-run")
    assert (dry.code, left()) == (0, 5)
    assert "no file any more: a.png" in dry.err
    assert "1 to be deleted" in dry.out
    assert run(*words).code == 2  # nobody there to be asked
    for answer, code, count in (("n", 1, 5), ("y", 0, 4)):
        monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
        asked = run(*words)
        assert (asked.code, left()) == (code, count)
        assert "delete 1 of 5 items" in asked.err
        assert "interrupted" not in asked.err
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (folder / "b.png").rename(wrong / "z.png")
    words = ("index", "pruned", wrong, *mine, "--prune", *to)
    refused = run(*words)
    assert (refused.code, left()) == (2, 4)
    assert "--yes" in refused.err
    assert run(*words, "--yes").code == 0
    assert left() == 1


class Terminal(io.StringIO):
    """What a person typed."""

    def isatty(self) -> bool:
        return True


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
    run, to, keyring: Path, checkpoint, folder, tmp_path, key, image_key
) -> None:
    other = tmp_path / "other.keys"
    Keyring([image_key]).save(other, unprotected=True)
    run("collection", "create", "mine", "--kind", "cipher", "--keyring", keyring, *to)
    run("model", "push", checkpoint, "--collection", "mine", *to)
    run("index", "mine", folder, "--keyring", keyring, *to)
    index = run("index", "mine", folder, "--keyring", other, *to)
    search = run("search", "mine", folder / "a.png", "--keyring", other, *to)
    fetch = run("item", "fetch", "mine", "a.png", "--keyring", other, *to, "--out", tmp_path)
    assert {index.code, search.code, fetch.code} == {1}
    assert index.err == search.err == fetch.err
    assert f"the keyring does not hold key {key.fingerprint.hex()}" in index.err
    assert not (tmp_path / "a.png").exists()
    named = run("search", "mine", folder / "a.png", "--keyring", other, "--key", "fresh", *to)
    assert named.code == 1
    assert f"is of key {key.fingerprint.hex()}, key 'fresh' is" in named.err


def test_of_several_keys_the_collection_says_which(
    run, to, keyring: Path, checkpoint, folder, tmp_path, image_key
) -> None:
    both = tmp_path / "both.keys"
    Keyring([image_key, *Keyring.load(keyring).entries]).save(both, unprotected=True)
    made = ("--kind", "cipher", "--keyring", both, "--key", "small")
    assert run("collection", "create", "several", *made, *to).code == 0
    assert run("model", "push", checkpoint, "--collection", "several", *to).code == 0
    assert run("index", "several", folder, "--keyring", both, *to).code == 0
    assert run("search", "several", folder / "a.png", "--keyring", both, *to).code == 0
    fetched = run("item", "fetch", "several", "a.png", "--keyring", both, *to, "--out", tmp_path)
    assert fetched.code == 0
    assert (tmp_path / "a.png").read_bytes() == (folder / "a.png").read_bytes()


@pytest.mark.parametrize(
    "item_id",
    [
        *("../../escape.png", "/abs.png", "a/../b.png", "a//b.png", "./a.png", "..", ".", "a/"),
        *("a\\..\\..\\b", "C:\\x", "C:x", "\\\\host\\share", "a:stream", "CON", "nul.png", "Aux"),
        *("com\u00b9.x", "lpt1 .png", "a.", "a ", "a?", "a\nb", "a\0b", "\x1b[31m", "\u2066a"),
        *("\u202egnp.exe", "\x9b1m"),
        *("%2E%2E/", "~/a", "b/CON/a"),
    ],
)
def test_no_id_leads_out_of_the_folder_or_shows_as_another(item_id: str, tmp_path: Path) -> None:
    from cipherlens.client.cli.fetched import _relative_path

    found = _relative_path(item_id)
    assert (tmp_path / (found + ".png")).resolve().is_relative_to(tmp_path.resolve())
    assert found.isprintable()
    there = PureWindowsPath("C:/out") / found
    assert there.is_relative_to("C:/out")
    assert ".." not in there.parts
    assert not any(PureWindowsPath(part).is_reserved() for part in there.parts[2:])


@pytest.mark.parametrize(
    "item_id",
    ["deep/er/ü b.png", "日本/\U0001f468\u200d\U0001f469.png", ".x", "Con-1.png", "a%20b"],
)
def test_an_id_that_is_a_path_stays_one(item_id: str) -> None:
    from cipherlens.client.cli.fetched import _relative_path

    assert _relative_path(item_id) == item_id


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


def test_serve_is_not_open_to_other_machines_by_mistake(run, tmp_path: Path) -> None:
    data = ("--data-dir", tmp_path / "data")
    outcome = run("serve", *data, "--listen", "0.0.0.0:0")
    assert outcome.code == 1
    assert "listen: 0.0.0.0:0 is reached from other machines without TLS" in outcome.err
    assert "--insecure" in outcome.err
    files = ("--tls-certificate", tmp_path / "c.pem", "--tls-key", tmp_path / "k.pem")
    outcome = run("serve", *data, "--listen", "127.0.0.1:0", "--tls-listen", "[::]:0", *files)
    assert outcome.code == 1
    assert "no tokens are asked for: 'cipherlens token new' makes one" in outcome.err


def test_the_options_of_tls_go_together(run, tmp_path: Path) -> None:
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-listen", "127.0.0.1:0")
    assert outcome.code == 2
    assert "tls.certificate must be set: --tls-certificate FILE" in outcome.err
    files = ("--tls-certificate", tmp_path / "c.pem", "--tls-key", tmp_path / "k.pem")
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-client-ca", tmp_path / "ca.pem")
    assert outcome.code == 2
    assert "tls.listen must be set: --tls-listen HOST:PORT" in outcome.err
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-listen", "here", *files)
    assert outcome.code == 2
    assert "tls.listen must be HOST:PORT" in outcome.err
    outcome = run("serve", "--data-dir", tmp_path / "d", "--tls-listen", "127.0.0.1:0", *files)
    assert outcome.code == 1
    assert f"the private key {tmp_path / 'k.pem'} cannot be read" in outcome.err


def test_a_model_is_deleted_by_how_its_digest_begins(
    run, to, checkpoint: Path, tmp_path: Path
) -> None:
    spare = tmp_path / "spare.safetensors"
    tensors = {name: each + 1 for name, each in load_file(checkpoint).items()}
    with safe_open(checkpoint, "np") as opened:
        save_file(tensors, spare, opened.metadata())
    pushed = run("model", "push", spare, "--json", *to).document["model"]
    assert run("model", "delete", "0" * 64, "--yes", *to).code == 3
    assert run("model", "delete", "", "--yes", *to).code == 3
    told = run("model", "delete", pushed["digest"][:12], "--yes", *to).out
    assert told == "model 'spare' is deleted\n"
    assert pushed not in run("model", "list", "--json", *to).document["models"]


def test_a_model_in_use_is_not_deleted(run, to, keyring: Path, checkpoint: Path) -> None:
    run("collection", "create", "served", "--kind", "cipher", "--keyring", keyring, *to)
    pushed = run("model", "push", checkpoint, "--collection", "served", "--json", *to).document
    outcome = run("model", "delete", pushed["model"]["digest"], "--yes", *to)
    assert outcome.code == 1
    assert "serves collection" in outcome.err


def test_what_is_no_checkpoint_is_named_before_anything_is_sent(run, tmp_path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no model at all, only words")
    outcome = run("model", "push", path, "--server", "127.0.0.1:1")
    assert outcome.code == 1
    assert f"{path}: no checkpoint" in outcome.err
