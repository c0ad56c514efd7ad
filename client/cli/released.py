"""`cipherlens open`: single originals, with keys that their owner's service releases."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.base import read_regular
from cipherlens.client import EncryptionClient, FailedPrecondition, open_released
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.fetched import suffix_of
from cipherlens.client.cli.files import (
    MAX_SEALED_FILE_BYTES,
    SEALED_SUFFIX,
    Force,
    Out,
    check_distinct,
    convert,
)
from cipherlens.client.sealed_file import read_sealed_file
from cipherlens.crypto import NotGenuine, OpenError


@connected
def open_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILES...", help="What 'item fetch' wrote: NAME.sealed."),
    ],
    out: Out,
    key: Annotated[
        str, typer.Option("--key", metavar="NAME", help="The owner's key, by name or fingerprint.")
    ] = "",
    owner: Annotated[
        str | None,
        typer.Option(
            "--owner",
            metavar="KEY",
            help="The owner's public key in hexadecimal, as his 'keys show --json' prints it: "
            "refuse another's.",
        ),
    ] = None,
    force: Force = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Open originals without a key of one's own, as their owner's service lets you.

    For each file that 'item fetch' wrote without a keyring, the service at --server releases the
    key that opens this original and no other. What it is sent tells which item that is; the
    original does not leave this machine. What does not open, or is not what the owner sealed at
    that place, is not written, with exit code 5.

    \b
    Examples:
      cipherlens item fetch photos t4odfhcecvodwi3ag46xc5hh7e5obysu --out found/
      cipherlens open found/*.sealed --server localhost:50052 --key photos-key --out plain/
    """
    check_distinct(files, lambda path: [path.name.removesuffix(SEALED_SUFFIX)])
    with server.owner() as service:
        convert(
            files,
            lambda path: _opened(path, service, key, owner),
            out,
            force=force,
            as_json=as_json,
        )


def _opened(path: Path, service: EncryptionClient, key: str, owner: str | None) -> dict[str, bytes]:
    """Return the original of a file, by its name.

    Raises:
        CommandError: it is not named like one.
        NotGenuine: it does not open, or is not the owner's.
    """
    name = path.name.removesuffix(SEALED_SUFFIX)
    if name == path.name or not name:
        raise CommandError(f"its name does not end in {SEALED_SUFFIX}", exit_code=USAGE)
    item = read_sealed_file(read_regular(path, MAX_SEALED_FILE_BYTES))
    try:
        (released,) = service.release_keys([item], key=key)
    except FailedPrecondition as error:
        raise OpenError from error
    if owner is not None and released.verify_key.hex() != owner.lower():
        raise NotGenuine(f"it is of the owner {released.verify_key.hex()}, not of {owner}")
    original = open_released(item, released)
    return {name + suffix_of(name, original): original.data}
