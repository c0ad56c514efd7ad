"""Options that several commands share."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client.cli.defaults import variable
from cipherlens.client.cli.failure import USAGE, CommandError


def _target(text: str) -> str:
    """Return an address as it is given, once it looks like one: gRPC takes any port modulo 2^16.

    Raises:
        typer.BadParameter: it is empty, or its port is no port.
    """
    _, colon, port = text.rpartition(":")
    if text.startswith(("unix:", "dns:", "ipv4:", "ipv6:")):
        return text
    if not (colon and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise typer.BadParameter(f"it must be HOST:PORT with a port of 1 to 65535, got {text!r}")
    return text


Server = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        help="Where the server listens.",
        callback=_target,
        envvar=variable("server"),
    ),
]
MaybeServer = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="HOST:PORT",
        help="Go through the server that listens there.",
        callback=lambda text: None if text is None else _target(text),
    ),
]
_KEYRING = typer.Option(
    "--keyring",
    metavar="KEYRING",
    help="The keyring file.",
    dir_okay=False,
    envvar=variable("keyring"),
)
KeyringPath = Annotated[Path, _KEYRING]
MaybeKeyringPath = Annotated[Path | None, _KEYRING]
# Where a keyring makes the command do something else: it must be said on the spot.
SaidKeyringPath = Annotated[
    Path | None,
    typer.Option("--keyring", metavar="KEYRING", help="The keyring file.", dir_okay=False),
]
KeyName = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="NAME",
        help="The key's name or fingerprint; may be left out where the collection or the file says "
        "whose it is, or the keyring holds one.",
        envvar=variable("key"),
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="A file whose first line is the keyring's passphrase; else CIPHERLENS_PASSPHRASE, "
        "else a prompt.",
        dir_okay=False,
        envvar=variable("passphrase_file"),
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print results, and errors, as JSON.")]
Device = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda:N", help="Where to compute.")
]
ReadableIds = Annotated[
    bool, typer.Option("--readable-ids", help="Ids are names, which the server reads.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", metavar="N", min=1, help="Threads on the CPU; as many as cores if left out."
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def confirm(question: str, *, yes: bool) -> None:
    """Return once the user agrees, who may have done so with --yes.

    Raises:
        CommandError: the user does not agree, or there is no terminal to ask at.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("this cannot be undone", hint="say --yes", exit_code=USAGE)
    if not typer.confirm(question, err=True):
        raise CommandError("nothing was done", hint="you said no")
