"""The options of a connection: one place for all commands."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest
import typer

from cipherlens.client import cli
from cipherlens.client.cli import app
from tests.client.test_access import TOKEN

OPTIONS = ["--tls", "--tls-ca", "--tls-certificate", "--tls-key", "--token-file", "--insecure"]


def commands() -> list[tuple[str, ...]]:
    """Return the words of every command of the program."""
    found: list[tuple[str, ...]] = []
    for name, home in app.COMMANDS.items():
        module, _, attribute = home.partition(":")
        command = getattr(import_module(f"cipherlens.client.cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            found += [
                (name, each.name or each.callback.__name__) for each in command.registered_commands
            ]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_whatever_calls_a_server_has_them_all(run, words: tuple[str, ...]) -> None:
    shown = run(*words, "--help").out
    if "--server HOST:PORT" in shown:
        assert [option for option in OPTIONS if f"{option} " not in shown] == []


def test_no_command_makes_a_client_by_itself() -> None:
    folder = Path(inspect.getfile(cli)).parent
    makers = [
        each.name
        for each in folder.glob("*.py")
        if re.search(r"\b(Async|Encryption)?Client\(", each.read_text())
    ]
    assert makers == ["connection.py"]


def test_tls_and_a_token_from_a_file_or_the_environment(
    run,
    with_tls,
    tmp_path: Path,
    monkeypatch,
) -> None:
    address, ca = with_tls
    words = ("model", "list", "--server", address)
    assert run(*words).code == 4
    assert run(*words, "--tls-ca", ca).code == 0
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    token.chmod(0o600)
    assert run(*words, "--tls-ca", ca, "--token-file", token).code == 0
    monkeypatch.setenv("CIPHERLENS_TLS_CA", str(ca))
    monkeypatch.setenv("CIPHERLENS_TOKEN", TOKEN)
    assert run(*words).code == 0


def test_a_token_is_not_sent_in_the_clear(run, monkeypatch) -> None:
    monkeypatch.setenv("CIPHERLENS_TOKEN", TOKEN)
    outcome = run("model", "list", "--server", "example.invalid:1")
    assert outcome.code == 2
    assert "the token would leave this machine unencrypted" in outcome.err
    assert TOKEN not in outcome.err
    assert run("model", "list", "--server", "127.0.0.1:1").code == 4


@pytest.mark.parametrize(
    ("content", "mode", "problem"), [(TOKEN, 0o644, "others may read"), (" \n", 0o600, "must hold")]
)
def test_a_token_file_must_be_private_and_hold_one(
    run, tmp_path: Path, content: str, mode: int, problem: str
) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    outcome = run("model", "list", "--server", "127.0.0.1:1", "--token-file", path)
    assert outcome.code != 0
    assert problem in outcome.err
    assert TOKEN not in outcome.err


def test_half_of_a_certificate_is_wrong_use(run, tmp_path: Path) -> None:
    outcome = run("model", "list", "--tls-certificate", tmp_path / "c.pem")
    assert outcome.code == 2
    assert "go together" in outcome.err
