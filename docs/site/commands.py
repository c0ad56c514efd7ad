"""The page of all commands, from the program itself."""

import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from cipherlens.client.cli.app import COMMANDS, EPILOG, program


def page() -> str:
    """Return the page in Markdown: what `--help` says of every command."""
    root = program([])
    text = f"# Options of commands\n\n{root.help}\n\n{_blocks(EPILOG)}\n\n"
    return text + "\n".join(_described(root, ["cipherlens"]))


def _described(command: Any, name: Sequence[str]) -> Iterator[str]:
    """Yield the parts of a command, and of those in it."""
    subcommands = getattr(command, "commands", {})
    if len(name) > 1:
        yield f"{'#' * len(name)} {' '.join(name[1:])}\n"
        if not subcommands:
            yield from _usage(command, name)
        yield _blocks(inspect.cleandoc(command.help or "")) + "\n"
        if not subcommands:
            yield from _parameters(command)
        if command.epilog:
            yield _blocks(inspect.cleandoc(command.epilog)) + "\n"
    for each in sorted(subcommands, key=_place):
        yield from _described(subcommands[each], [*name, each])


def _place(name: str) -> int:
    """Return where a command stands among those of the help; others stay in their order."""
    return list(COMMANDS).index(name) if name in COMMANDS else 0


def _usage(command: Any, name: Sequence[str]) -> Iterator[str]:
    context = command.context_class(command, info_name=" ".join(name))
    yield "    " + " ".join([*name, *command.collect_usage_pieces(context)]) + "\n"


def _parameters(command: Any) -> Iterator[str]:
    context = command.context_class(command)
    told = [record for each in command.params if (record := each.get_help_record(context))]
    if told:
        yield "| | |\n|---|---|"
        yield from (
            f"| `{_cell(names)}` | {_cell(text).replace('<', '&lt;')} |" for names, text in told
        )
        yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")


def _blocks(text: str) -> str:
    """Return a help text in Markdown: paragraphs after "\\b" are shown as they are."""
    return "\n\n".join(_block(each) for each in re.split(r"\n\s*\n", text.strip("\n")))


def _block(text: str) -> str:
    head, *lines = text.splitlines()
    if head.strip() != "\b":
        return _escaped(text)
    title = lines.pop(0) + "\n\n" if lines[0].endswith(":") else ""
    return title + textwrap.indent(textwrap.dedent("\n".join(lines)), "    ")
