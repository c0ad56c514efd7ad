"""`cipherlens keys rotate`: bring a collection under another key while it serves."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client import Collection
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_outcome, progress_bar, remark
from cipherlens.client.cli.failure import CommandError
from cipherlens.client.cli.manifest import Manifests, manifest_folder, opened_items
from cipherlens.client.cli.passphrase import open_keyring, owner_key_of
from cipherlens.client.rotation import Rotation, RotationReport
from cipherlens.crypto import KeyEntry

NewModel = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="CHECKPOINT",
        help="A model of the new key, where the one that serves is bound to the old key.",
        dir_okay=False,
    ),
]


@connected
def rotate(
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="What to bring over.")],
    keyring: options.KeyringPath,
    to: Annotated[str, typer.Option("--to", metavar="KEY", help="The key that it shall be under.")],
    key: options.KeyName = None,
    model: NewModel = None,
    manifests: Manifests = None,
    dry_run: options.DryRun = False,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Bring a collection under another key of the keyring while it serves.

    Every item is opened here with the old key and encrypted and sealed with the new one, in a
    collection beside; in the end that takes the place of the first in one step. Until then queries
    under the old key are answered, from then on those under the new one, and the others are
    refused. A run that was interrupted goes on where it stopped, with the same command.

    Where there is a manifest, what serves then is read back and signed under the new key. Grants
    end with it: make new ones. Who has copied ciphertext and has the old key can still read his
    copy. Other commands take the new key from the keyring by themselves.

    \b
    Examples:
      cipherlens keys new my.keys --name 2027 --block 16 --substituted 24
      cipherlens keys rotate photos --keyring my.keys --to 2027 --dry-run
      cipherlens keys rotate photos --keyring my.keys --to 2027
    """
    ring = open_keyring(keyring, passphrase_file)
    target = ring.get(to)
    with server.client() as old, server.client(target) as new, progress_bar() as bar:
        where = old.get_collection(collection)
        old.key = owner_key_of(where, ring, key)
        if dry_run:
            _tell_plan(where, old.key, target, as_json=as_json)
            return
        folder = manifest_folder(manifests, keyring)
        known = folder.load(where.uuid, old.key.verify_key)
        task = bar.add_task("items", total=None)
        rotation = Rotation(
            old,
            new,
            collection,
            checkpoint=None if model is None else str(model),
            manifest=known,
            on_copied=lambda done, total: bar.update(task, completed=done, total=total),
        )
        report = rotation.run()
        if known is not None:
            listed = opened_items(new, report.collection, target)
            folder.record(target, report.collection.uuid, listed)
    _tell(collection, target, report, as_json=as_json)


def _tell(collection: str, target: KeyEntry, report: RotationReport, *, as_json: bool) -> None:
    document = {
        "collection": collection,
        "uuid": str(report.collection.uuid),
        "key": target.name,
        "fingerprint": target.fingerprint.hex(),
        "copied": report.copied,
        "items": report.collection.item_count,
        "absent": list(report.absent),
    }
    for item_id in report.absent:
        remark(f"item {item_id!r} is in the manifest, and the server does not have it")
    told = f"{collection!r} is under key {target.name!r}: {report.copied} items brought over"
    print_outcome(document, told, as_json=as_json)


def _tell_plan(where: Collection, old: KeyEntry, new: KeyEntry, *, as_json: bool) -> None:
    """Say what a rotation would do. Raises CommandError where there is nothing to do."""
    if old.fingerprint == new.fingerprint:
        raise CommandError(f"{where.name!r} is under key {new.name!r} already")
    document = {
        "collection": where.name,
        "from_key": old.name,
        "key": new.name,
        "items": where.item_count,
        "dry_run": True,
    }
    told = f"{where.item_count} items of {where.name!r} would go from {old.name!r} to {new.name!r}"
    print_outcome(document, told, as_json=as_json)
