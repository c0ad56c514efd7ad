"""Where a new command goes: a module with a function, and a line in `app.COMMANDS`."""

import sys
from types import ModuleType

import pytest
import typer

from cipherlens.client import Client
from cipherlens.client.cli import app, options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json


@connected
def count(collection: str, server: Connection = LOCAL, as_json: options.Json = False) -> None:
    """Tell how many items a collection has."""
    with server.client() as client:
        found = client.get_collection(collection).item_count
    if as_json:
        print_json({"collection": collection, "items": found})
    else:
        typer.echo(f"{found} items")


@pytest.fixture
def with_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program with one command more."""
    module = ModuleType("cipherlens.client.cli.count")
    module.count = count  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(app.COMMANDS, "count", "count:count")


def test_it_is_there_with_its_help_its_results_and_its_failures(
    run, with_count, target: str, client: Client
) -> None:
    client.create_vector_collection("counted", 2)
    client.index_vectors("counted", ["a"], [[1.0, 0.0]])
    assert "\n  count " in run("--help").out
    words = ("count", "counted", "--server", target)
    assert run(*words).out == "1 items\n"
    assert run(*words, "--json").document == {"collection": "counted", "items": 1}
    assert run("count", "nothing", "--server", target).code == 3
