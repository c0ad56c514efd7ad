"""`cipherlens snapshot`: copy a server's data folder while it serves, check it, bring it back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_outcome
from cipherlens.client.cli.group import group

if TYPE_CHECKING:
    from cipherlens.server.storage.snapshot import Snapshot

DataDir = Annotated[Path, typer.Argument(metavar="DATA-DIR", help="The data folder of a server.")]
Folder = Annotated[Path, typer.Argument(metavar="SNAPSHOT", help="The folder of the snapshot.")]

app = group("Copy a server's data folder while it serves, check the copy, bring it back.")


@app.command()
def create(data_dir: DataDir, snapshot: Folder, as_json: options.Json = False) -> None:
    """Copy a data folder of this machine as it is at one moment; the server goes on meanwhile.

    The snapshot is a new folder with the database, the models and a manifest of checksums. It is
    there when it is whole, or not at all. Tokens and keyrings are no part of it.

    \b
    Example:
      cipherlens snapshot create data/ backups/monday
    """
    from cipherlens.server.storage import snapshot as snapshots

    made = snapshots.create(data_dir, snapshot)
    _tell(made, snapshot, f"{snapshot} is a snapshot of {data_dir}", as_json=as_json)


@app.command()
def verify(snapshot: Folder, as_json: options.Json = False) -> None:
    """Check that every file of a snapshot is as it was written, and that its database is sound.

    \b
    Example:
      cipherlens snapshot verify backups/monday
    """
    from cipherlens.server.storage import snapshot as snapshots

    _tell(snapshots.verify(snapshot), snapshot, f"{snapshot} is whole", as_json=as_json)


@app.command()
def restore(
    snapshot: Folder,
    data_dir: DataDir,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Make a new data folder of a snapshot; 'cipherlens serve' then goes on from there.

    What was written after the snapshot is not in it: a search that waits for a later change
    (min_sequence) is refused, and 'cipherlens index' sends again what is missing.

    \b
    Example:
      cipherlens snapshot restore backups/monday data/
    """
    from cipherlens.server.storage import snapshot as snapshots

    if dry_run:
        snapshots.check_absent(data_dir)
        held, told = snapshots.verify(snapshot), f"{data_dir} would be restored from {snapshot}"
    else:
        held, told = (
            snapshots.restore(snapshot, data_dir),
            f"{data_dir} is restored from {snapshot}",
        )
    _tell(held, snapshot, told, as_json=as_json)


def _tell(found: "Snapshot", snapshot: Path, told: str, *, as_json: bool) -> None:
    document = {
        "snapshot": str(snapshot),
        "files": len(found.files),
        "size_bytes": found.size_bytes,
    }
    sentence = f"{told}: {len(found.files)} files, {found.size_bytes:,} bytes"
    print_outcome(document, sentence, as_json=as_json)
