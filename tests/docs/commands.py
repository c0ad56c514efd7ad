"""What docs/commands.md says: every command, every message of its own, and every exit code.

It is made of the program: `python -m tests.docs.commands` writes it anew.
"""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from cipherlens.client.cli import app, failure, passphrase

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
SOURCES = Path(__file__).parents[2] / "client" / "cli"

_CODES = {
    name: getattr(failure, name)
    for name in ("FAILURE", "USAGE", "NOT_FOUND", "NO_SERVER", "NOT_GENUINE", "INTERRUPTED")
}
_BEGINNING = """# Commands

What each command does, what it may say when it fails, and with which code it then ends. Made of the
program itself; `cipherlens COMMAND --help` has the options. Errors go to standard error, as a line
and a hint below it, or as one JSON document with `--json`; results go to standard output.
"""


class Told(NamedTuple):
    """A failure that a file of commands tells of by itself."""

    place: str
    message: str
    exit_code: int


def commands() -> dict[str, str]:
    """Return the first sentence of every command's help, by its words."""
    return dict(_described(app.program([]), []))


def _described(command: Any, words: list[str]) -> Iterator[tuple[str, str]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield " ".join(words), command.help.strip().partition("\n")[0]
        return
    for name, each in inner.items():
        yield from _described(each, [*words, name])


def told() -> list[Told]:
    """Return every `CommandError` of the sources, by file."""
    return sorted({each for path in sorted(SOURCES.rglob("*.py")) for each in _told_in(path)})


def _told_in(path: Path) -> Iterator[Told]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "CommandError":
            if not node.args or not (message := _text(node.args[0])):
                continue
            named = {each.arg: each.value for each in node.keywords}
            code = getattr(named.get("exit_code"), "id", "FAILURE")
            yield Told(path.stem, message, _CODES[code])


def _text(node: ast.expr) -> str:
    """Return a message with what varies in it as "..."; empty where all of it does."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(each.value) if isinstance(each, ast.Constant) else "..." for each in node.values
        )
    return ""


def codes() -> list[tuple[str, str]]:
    """Return the exit codes and what they mean, as `cipherlens --help` has them."""
    lines = app.EPILOG.partition("Exit codes:\n")[2].partition("\n\n")[0].splitlines()
    return [tuple(re.split(r"\s+", each.strip(), maxsplit=1)) for each in lines]  # type: ignore[misc]


def advice() -> list[tuple[str, int, str]]:
    """Return the classes of failures that have a code and a hint of their own."""
    assert passphrase.ADVICE is failure.ADVICE  # which adds those of keys
    return [(kind.__name__, code, hint) for kind, (code, hint) in failure.ADVICE.items()]


def page() -> str:
    """Return the text of the page."""
    parts = [
        _BEGINNING,
        "## Exit codes\n",
        _table(("code", "what it means"), codes()),
        "## Commands\n",
        _table(
            ("command", "what it does"), [(f"`cipherlens {k}`", v) for k, v in commands().items()]
        ),
        "## Failures that any command may tell of\n",
        "A server's own words come first, the hint below; `reason` in JSON tells more.\n",
        _table(("failure", "code", "hint"), advice()),
        "## Messages of single commands\n",
        "`...` stands for what varies: a path, a name, a number.\n",
        _table(("in", "message", "code"), told()),
    ]
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, each))} |\n" for each in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for name in app.COMMANDS.values():
        import_module(f"cipherlens.client.cli.{name.partition(':')[0]}")
    PAGE.write_text(page())
