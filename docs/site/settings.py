"""The page of a server's settings, from the types that check them."""

from collections.abc import Iterator
from dataclasses import MISSING
from itertools import groupby

from cipherlens.server.settings import SETTINGS, Setting

HEAD = """# Settings of a server

A setting has three names: `max_k` in the table `limits` of the TOML file of `--config`,
`CIPHERLENS_SERVE_LIMITS_MAX_K` in the environment, and `--limits-max-k`; the last of these that is
given holds. `serve --print-config` shows what is in force, and where each value comes from.

"""


def page() -> str:
    """Return the page in Markdown."""
    return HEAD + "\n".join(
        part
        for table, settings in groupby(SETTINGS, lambda each: each.name.rpartition(".")[0])
        for part in _table(table, settings)
    )


def _table(name: str, settings: Iterator[Setting]) -> Iterator[str]:
    if name:
        yield f"## {name}\n"
    yield "| setting | default | |\n|---|---|---|"
    for each in settings:
        default = "" if each.default in (None, MISSING) else f"`{_plain(each.default)}`"
        yield f"| `{each.name.rpartition('.')[2]}` | {default} | {each.doc} |"
    yield ""


def _plain(default: object) -> object:
    return getattr(default, "value", default)
