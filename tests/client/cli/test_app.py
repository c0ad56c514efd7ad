import os
import subprocess
import sys
from pathlib import Path

import pytest

from cipherlens.base import DomainError
from cipherlens.client.cli import app, failure
from cipherlens.client.errors import FailedPrecondition, InvalidArgument, Unimplemented


def test_help_names_every_command_and_every_exit_code(run) -> None:
    outcome = run("--help")
    assert outcome.code == 0
    for word in (
        "keys",
        "encrypt",
        "train",
        "serve",
        "collection",
        "model",
        "index",
        "item",
        "manifest",
    ):
        assert f"\n  {word} " in outcome.out
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130"):
        assert f"\n    {code}" in outcome.out
    assert "CIPHERLENS_PASSPHRASE" in outcome.out


@pytest.mark.parametrize(
    "words",
    [
        ("encrypt",),
        ("decrypt",),
        ("train",),
        ("evaluate",),
        ("serve",),
        ("index",),
        ("search",),
        ("keys", "new"),
        ("keys", "show"),
        ("collection", "create"),
        ("collection", "list"),
        ("collection", "show"),
        ("collection", "drop"),
        ("model", "push"),
        ("model", "seal"),
        ("model", "list"),
        ("model", "delete"),
        ("snapshot", "create"),
        ("snapshot", "verify"),
        ("snapshot", "restore"),
        ("migrate",),
        ("item", "list"),
        ("item", "fetch"),
        ("item", "delete"),
        ("manifest", "show"),
        ("manifest", "sign"),
        ("manifest", "push"),
        ("manifest", "pull"),
    ],
)
def test_every_command_shows_an_example(run, words: tuple[str, ...]) -> None:
    outcome = run(*words, "--help")
    assert outcome.code == 0
    assert "    cipherlens " + " ".join(words) in outcome.out


def test_the_version(run) -> None:
    assert run("--version").out.startswith("cipherlens 0.")


@pytest.mark.parametrize("words", [(), ("keys",), ("item",)])
def test_without_a_command_the_help_is_shown(run, words: tuple[str, ...]) -> None:
    outcome = run(*words)
    assert outcome.code == 2
    assert outcome.err.startswith("Usage: cipherlens")


def test_wrong_use(run) -> None:
    unknown = run("serch")
    assert unknown.code == 2
    assert "No such command 'serch'" in unknown.err
    missing = run("collection", "create", "--json")
    assert missing.code == 2
    assert missing.error["exit_code"] == 2
    assert "NAME" in missing.error["error"]


def test_no_server(run) -> None:
    outcome = run("collection", "list", "--server", "127.0.0.1:1", "--json")
    assert outcome.code == 4
    assert outcome.out == ""
    assert outcome.error["code"] == "UNAVAILABLE"
    assert "cipherlens serve" in outcome.error["hint"]


@pytest.mark.parametrize("target", ["", "nohost", "host:0", "host:65536", "host:port"])
def test_an_address_that_is_none(run, target: str) -> None:
    outcome = run("collection", "list", "--server", target, "--json")
    assert outcome.code == 2
    assert "HOST:PORT" in outcome.error["error"]


def test_values_that_the_server_refuses_are_wrong_use() -> None:
    told = failure.describe(InvalidArgument("bits: must be one of (12, 24), got 7"))
    assert (told.exit_code, told.message) == (2, "bits: must be one of (12, 24), got 7")


def test_a_server_of_another_role() -> None:
    assert "--role owner" in failure.describe(Unimplemented("Method not found!")).hint


@pytest.mark.parametrize(
    ("reason", "hinted"), [("NO_MODEL", True), ("MODEL_MISMATCH", False), ("", False)]
)
def test_a_model_is_asked_for_only_where_one_is_missing(reason: str, hinted: bool) -> None:
    told = failure.describe(FailedPrecondition("collection 'a' has no model yet", reason=reason))
    assert ("model push" in told.hint) is hinted


def test_a_query_that_is_no_picture_is_named(run, keyring, tmp_path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    outcome = run("search", "photos", text, "--keyring", keyring)
    assert outcome.code == 1
    assert f"cipherlens: {text}: " in outcome.err


def test_a_page_is_refused_before_the_search_if_its_folder_is_absent(
    run, keyring, tmp_path
) -> None:
    words = ("search", "photos", "x.png", "--keyring", keyring)
    outcome = run(*words, "--html", tmp_path / "absent/hits.html")
    assert outcome.code == 2
    assert str(tmp_path / "absent") in outcome.err


def test_a_failure_that_no_table_names_is_told_in_its_own_words() -> None:
    class Odd(DomainError):
        pass

    told = failure.describe(Odd("this cannot be"))
    assert (told.exit_code, told.message, told.hint) == (1, "this cannot be", "")


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_the_packages_of_the_command_line_one_line_says_what_to_install(
    package: str,
) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import cipherlens.client; cipherlens.client.Client\n"
        "from cipherlens.client.cli import main; sys.exit(main(['keys', 'new', 'x']))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert outcome.returncode == 1
    assert outcome.stderr == (
        f"cipherlens: this needs the package {package}: pip install 'cipherlens[cli]'\n"
    )


def test_a_bug_shows_no_traceback_unless_asked(
    run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(app, "program", lambda _words: fail)
    outcome = run("keys", "show", tmp_path)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("cipherlens: unexpected RuntimeError: a bug")
    monkeypatch.setenv("CIPHERLENS_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="a bug"):
        run("keys", "show", tmp_path)


def test_an_interruption_is_130(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "program", lambda _words: interrupt)
    assert run("keys", "show", "x").code == 130


def test_a_reader_that_has_enough_is_no_failure(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    outcome = subprocess.run(
        [sys.executable, "-m", "cipherlens.client.cli", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write)
    assert "Traceback" not in outcome.stderr
