"""`cipherlens token`: who may call a server, and for what."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cipherlens.base import write_private
from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_json, print_outcome, print_table, remark
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.group import group

if TYPE_CHECKING:
    from cipherlens.server.access import Permission, TokenFile, TokenRecord

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="The data folder of a server of role cloud.",
        file_okay=False,
    ),
]
Keyring = Annotated[
    Path | None,
    typer.Option(
        "--keyring",
        metavar="KEYRING",
        help="The keyring file of a server of role owner or all, in place of --data-dir.",
        dir_okay=False,
    ),
]

app = group("Make, list and revoke the tokens that a server asks for.")


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whom it is for.")],
    allow: Annotated[
        list[str],
        typer.Option(
            "--allow",
            metavar="SCOPES[:NAMES]",
            help="What it allows: search, fetch, index or admin, each for collections by name, "
            "where * stands for any characters; server; of an owner's server trapdoor, encrypt, "
            "decrypt or keys, for all keys or by name, and with /UUID behind for one collection. "
            "Lists have commas. May be given several times.",
        ),
    ],
    data_dir: DataDir = None,
    keyring: Keyring = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it holds.")] = 90,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="A new file for it, in place of standard output."
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Make a token and show it once; the server keeps nothing that could be shown in its place.

    A server that has a file of tokens asks for one in every call, and notices within a second when
    tokens are made or revoked. Scopes do not include each other. index: write and delete items.
    search: rank. fetch: read items as stored, also with a search. admin with server: make a
    collection, push a model to it; admin alone: drop it.

    \b
    Examples:
      cipherlens token new alice --data-dir data/ --allow 'search,fetch:photos,album-*'
      cipherlens token new root --data-dir data/ --allow server --allow 'search,fetch,index,admin:*'
      cipherlens token new app --keyring my.keys --allow trapdoor:my-key --out app.token
    """
    from cipherlens.server.access import issue  # no other command loads the server's code

    permissions = _permissions(allow, owner=keyring is not None)
    file = _file(data_dir, keyring)
    is_first = not file.exists()
    token, record = issue(name, permissions, timedelta(days=days))
    if out is not None:  # first: a file that cannot be written leaves no token
        write_private(out, f"{token}\n".encode())
    file.add(record)
    if is_first:
        remark(f"{file.path} is new: a server that runs asks for tokens when it is started again")
    shown = f"token {name!r} is in {out}" if out else token
    print_outcome({**_document(record), "token": token}, shown, as_json=as_json)


@app.command("list")
def list_(data_dir: DataDir = None, keyring: Keyring = None, as_json: options.Json = False) -> None:
    """List the tokens: whom they are for and what they allow, never the tokens themselves.

    \b
    Example:
      cipherlens token list --data-dir data/
    """
    records = _file(data_dir, keyring).read()
    if as_json:
        print_json({"tokens": [_document(each) for each in records]})
        return
    now = datetime.now(UTC)
    print_table(("ID", "NAME", "ALLOWS", "EXPIRES"), [_row(each, now) for each in records])


@app.command()
def revoke(
    token: Annotated[str, typer.Argument(metavar="ID|NAME", help="The token's id or name.")],
    data_dir: DataDir = None,
    keyring: Keyring = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Revoke a token: a running server refuses it within a second.

    \b
    Examples:
      cipherlens token revoke alice --data-dir data/
      cipherlens token revoke alice --data-dir data/ --dry-run
    """
    file = _file(data_dir, keyring)
    gone = file.get(token) if dry_run else file.revoke(token)
    told = f"token {gone.name!r} ({gone.token_id}) {'would be' if dry_run else 'is'} revoked"
    document = {"revoked": gone.token_id, "name": gone.name, "dry_run": dry_run}
    print_outcome(document, told, as_json=as_json)


def _file(data_dir: Path | None, keyring: Path | None) -> "TokenFile":
    from cipherlens.server.access import TokenFile

    if (data_dir is None) == (keyring is None):
        raise CommandError(
            "say which server's tokens: --data-dir, or --keyring for an owner's", exit_code=USAGE
        )
    return TokenFile.of(data_dir, keyring)


def _permissions(allow: Sequence[str], *, owner: bool) -> "tuple[Permission, ...]":
    """Return what the options allow. Raises CommandError, ValueError."""
    from cipherlens.server.access import OF_OWNERS, permissions_of

    found = tuple(each for text in allow for each in permissions_of(text))
    for each in found:
        if each.scope in OF_OWNERS and not owner:
            raise CommandError(
                f"{each.scope} is a scope of a server with a keyring",
                hint="name it: --keyring KEYRING",
                exit_code=USAGE,
            )
    return found


def _row(record: "TokenRecord", now: datetime) -> tuple[object, ...]:
    expires = f"{record.expires_at:%Y-%m-%d %H:%M} UTC"
    return (
        record.token_id,
        record.name,
        " ".join(map(str, record.permissions)),
        expires if now < record.expires_at else f"expired {expires}",
    )


def _document(record: "TokenRecord") -> dict[str, Any]:
    return {
        "id": record.token_id,
        "name": record.name,
        "allows": [str(each) for each in record.permissions],
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
    }
