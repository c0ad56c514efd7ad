"""`cipherlens item put`: write ready vectors or codes from a file of rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cipherlens.base import Kind
from cipherlens.client import Client, Collection
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_outcome, progress_bar
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.cli.query import rows_of
from cipherlens.client.core.content import Rows

RowsPath = Annotated[
    Path,
    typer.Argument(
        metavar="ROWS.npy",
        help="NumPy's file of (n, dimension) float32 or (n, bytes) uint8.",
        dir_okay=False,
    ),
]
Ids = Annotated[
    Path | None,
    typer.Option(
        "--ids",
        metavar="FILE",
        help="The items' ids, one a line; else the numbers of the rows, from 0.",
        dir_okay=False,
    ),
]

_AT_ONCE = 1000
"""Rows between two steps of the bar."""


@connected
def put(
    collection: Annotated[
        str, typer.Argument(metavar="COLLECTION", help="One of vectors or codes.")
    ],
    rows: RowsPath,
    ids: Ids = None,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    passphrase_file: options.PassphraseFile = None,
    dry_run: options.DryRun = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Write ready vectors or codes, which replace those of the same ids.

    The server reads the ids. A collection that is masked needs its key, by --keyring. An
    interrupted run may be repeated: what is there already is written again.

    \b
    Examples:
      cipherlens item put faces embeddings.npy --ids names.txt
      cipherlens item put hashes codes.npy --keyring my.keys --dry-run
    """
    found = rows_of(rows)
    item_ids = _ids(ids, len(found))
    with server.client() as client, progress_bar() as bar:
        where = client.get_collection(collection)
        _check_rows(where, found, rows)
        if keyring is not None:
            client.key = key_of(where, open_keyring(keyring, passphrase_file), key)
        task = bar.add_task("items", total=len(found))
        for done in () if dry_run else _written(client, where, item_ids, found):
            bar.update(task, completed=done)
        sequence = client.get_collection(collection).sequence
    count = len(found)
    told = f"{count} items {'would be ' if dry_run else ''}written to {collection!r}"
    facts = {"collection": collection, "indexed": count, "sequence": sequence, "dry_run": dry_run}
    print_outcome(facts, told, as_json=as_json)


def _ids(path: Path | None, count: int) -> list[str]:
    """Return the ids of so many rows, from a file if there is one.

    Raises:
        CommandError: it has another number of them.
    """
    if path is None:
        return [str(number) for number in range(count)]
    ids = path.read_text(encoding="utf-8").splitlines()
    if len(ids) != count:
        raise CommandError(
            f"{path}: there must be an id for each of the {count} rows, it has {len(ids)}",
            exit_code=USAGE,
        )
    return ids


def _written(
    client: Client, where: Collection, item_ids: Sequence[str], rows: Rows
) -> Iterator[int]:
    """Write all rows, and yield how many are, from time to time."""
    for start in range(0, len(rows), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        if where.kind is Kind.CODE:
            client.index_codes(where, item_ids[part], np.asarray(rows[part], np.uint8))
        else:
            client.index_vectors(where, item_ids[part], rows[part])
        yield min(len(rows), start + _AT_ONCE)


def _check_rows(where: Collection, rows: Rows, path: Path) -> None:
    """Raise CommandError unless a collection holds such rows."""
    if where.kind is Kind.CIPHER:
        raise CommandError(
            f"collection {where.name!r} holds cipher-images: 'index' makes them of pictures",
            exit_code=USAGE,
        )
    wanted = np.uint8 if where.kind is Kind.CODE else np.float32
    width = -(-where.bits // 8) if where.kind is Kind.CODE else where.dimension
    if rows.dtype != wanted or rows.shape[1] != width:
        raise CommandError(
            f"{path}: collection {where.name!r} takes rows of {width} {np.dtype(wanted)}, "
            f"it has {rows.shape[1]} {rows.dtype}",
            exit_code=USAGE,
        )
