"""What need not be said each time: variables, and a file of defaults behind them."""

from pathlib import Path

import pytest

from cipherlens.client import Client
from cipherlens.client.cli import defaults
from cipherlens.client.cli.connection import _connection
from tests.client.cli.conftest import Run


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Path:
    """The place of the user's file, where nothing is yet."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config" / "cipherlens" / "client.toml"
    path.parent.mkdir(parents=True)
    return path


def test_a_file_says_server_and_keyring(
    run: Run, config: Path, target: str, keyring: Path, photos: str, folder: Path
) -> None:
    config.write_text(f'server = "{target}"\nkeyring = "{keyring}"\nkey = "small"\n')
    assert run("index", photos, folder).code == 0
    assert run("search", photos, folder / "a.png", "--json").document["hits"]
    assert run("count", photos).out == "5\n"
    named = run("item", "list", photos).out
    assert "deep/d.png" in named


def test_an_option_counts_before_a_variable_and_that_before_the_file(
    run: Run, config: Path, target: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('server = "127.0.0.1:1"\n')
    assert run("model", "list").code == 4
    monkeypatch.setenv("CIPHERLENS_SERVER", target)
    assert run("model", "list").code == 0
    assert run("model", "list", "--server", "127.0.0.1:1").code == 4
    monkeypatch.setenv("CIPHERLENS_SERVER", "nowhere")
    assert (run("model", "list").code, "HOST:PORT" in run("model", "list").err) == (2, True)


def test_another_file_may_be_named(
    run: Run, tmp_path: Path, target: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.toml"
    monkeypatch.setenv("CIPHERLENS_CLIENT_CONFIG", str(other))
    missing = run("model", "list", "--server", target)
    assert (missing.code, str(other) in missing.err) == (1, True)
    other.write_text(f'server = "{target}"\n')
    assert run("model", "list").code == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("server = ", "client.toml: "),
        ("sever = 'a:1'", "'sever' is none of server, key, timeout"),
        ("server = 1", "server must be a text, got 1"),
        ("timeout = 'soon'", "timeout must be a number, got 'soon'"),
        ("passphrase = 'secret'", "'passphrase' is none of"),
    ],
)
def test_a_file_that_says_what_is_not_known(
    run: Run, config: Path, text: str, problem: str
) -> None:
    config.write_text(text)
    told = run("model", "list")
    assert (told.code, problem in told.err) == (2, True)


def test_a_secret_in_the_environment_counts_before_its_file_in_the_defaults(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text('token_file = "~/token"\npassphrase_file = "/p"\n')
    home = Path.home()
    assert defaults.defaults() == {"token_file": f"{home}/token", "passphrase_file": "/p"}
    monkeypatch.setenv("CIPHERLENS_TOKEN", "clens_x")
    monkeypatch.setenv("CIPHERLENS_PASSPHRASE", "x")
    assert defaults.defaults() == {}


def test_what_a_keyring_changes_is_never_a_default(run: Run, keyring: Path) -> None:
    """A keyring in the environment must not turn a training of plain pictures into another."""
    for words in (("train",), ("evaluate",), ("doctor",)):
        assert "CIPHERLENS_KEYRING" not in run(*words, "--help").out
    assert "CIPHERLENS_KEYRING" in run("search", "--help").out


def test_every_key_of_the_file_is_the_variable_of_some_option(run: Run) -> None:
    shown = run("search", "--help").out
    assert [key for key in defaults.KEYS if defaults.variable(key) not in shown] == []


def test_a_call_may_take_so_long(run: Run, config: Path, target: str, client: Client) -> None:
    assert run("model", "list", "--server", target, "--timeout", 20).code == 0
    assert "--timeout must be above 0" in run("model", "list", "--timeout", 0).err
    connection = _connection(server=target, timeout=2.5)
    with connection.client() as made, connection.owner() as owner:
        for each in (made.deadlines, owner.deadlines):
            assert (each.quick_s, each.upload_s) == (2.5, 2.5)
