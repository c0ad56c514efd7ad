"""`cipherlens manifest`: what the owner signed of a collection, to hold its server to."""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client import Client, Collection, Item, Tagging
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_facts, print_json, progress_bar
from cipherlens.client.cli.failure import NOT_FOUND, CommandError
from cipherlens.client.cli.group import group
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.manifest_copy import pull_manifest, push_manifest
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.originals import open_item
from cipherlens.crypto import Key, ListedItem, ListedTags, Manifest

Manifests = Annotated[
    Path | None,
    typer.Option(
        "--manifests",
        metavar="DIR",
        help="Where signed manifests of collections are kept; else KEYRING.manifests.",
        file_okay=False,
    ),
]
CollectionName = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.")]

MANIFEST_HINT = "'index' and 'manifest sign' make one, 'manifest pull' takes the server's copy"

NEWER_HINT = (
    "if the owner has changed the collection since, 'manifest pull' takes his newer manifest"
)
"""Told with what a manifest shows to be wrong."""

app = group("Sign what a collection holds, and hold its server to it.")


def manifest_folder(manifests: Path | None, keyring: Path) -> ManifestFolder:
    """Return the folder of manifests that was named, or that beside the keyring."""
    return ManifestFolder.beside(keyring) if manifests is None else ManifestFolder(manifests)


def known_manifest(
    manifests: Path | None, keyring: Path, collection_uuid: uuid.UUID, key: Key
) -> Manifest | None:
    """Return the manifest of a collection, if there is one."""
    return manifest_folder(manifests, keyring).load(collection_uuid, key.verify_key)


@app.command()
@connected
def show(
    collection: CollectionName,
    keyring: options.KeyringPath,
    key: options.KeyName = None,
    manifests: Manifests = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Show which manifest of a collection is known here; 'index' signs one after each run.

    \b
    Example:
      cipherlens manifest show photos --keyring my.keys
    """
    keys, folder = open_keyring(keyring, passphrase_file), manifest_folder(manifests, keyring)
    with server.client() as client:
        where = client.get_collection(collection)
    known = folder.load(where.uuid, key_of(where, keys, key).verify_key)
    if known is None:
        raise _unknown(collection, folder)
    _tell(collection, folder, known, as_json=as_json)


@app.command()
@connected
def sign(
    collection: CollectionName,
    keyring: options.KeyringPath,
    key: options.KeyName = None,
    manifests: Manifests = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Sign what a collection holds now: all of it is fetched, and every seal opened.

    'index' does that by itself for what it writes. This is for what programs have written, or where
    the manifest was lost. What has no seal is taken on trust as it is now, and so is what has no
    tags.

    \b
    Example:
      cipherlens manifest sign photos --keyring my.keys
    """
    keys, folder = open_keyring(keyring, passphrase_file), manifest_folder(manifests, keyring)
    with server.client() as client:
        where = client.get_collection(collection)
        entry = key_of(where, keys, key)
        items = opened_items(client, where, entry)
        known = folder.load(where.uuid, entry.verify_key)
        gone = [] if known is None else [each for each in known.items if each not in items]
    signed = folder.record(entry, where.uuid, items, gone)
    _tell(collection, folder, signed, as_json=as_json)


@app.command()
@connected
def push(
    collection: CollectionName,
    keyring: options.KeyringPath,
    key: options.KeyName = None,
    manifests: Manifests = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Put the manifest of a collection on the server, for users to pull.

    It lies there in a collection of its own, COLLECTION.manifest.

    \b
    Example:
      cipherlens manifest push photos --keyring my.keys
    """
    keys, folder = open_keyring(keyring, passphrase_file), manifest_folder(manifests, keyring)
    with server.client() as client:
        where = client.get_collection(collection)
        known = folder.load(where.uuid, key_of(where, keys, key).verify_key)
        if known is None:
            raise _unknown(collection, folder)
        push_manifest(client, where, folder.signed(where.uuid), known.counter)
    _tell(collection, folder, known, as_json=as_json)


@app.command()
@connected
def pull(
    collection: CollectionName,
    keyring: options.KeyringPath,
    key: options.KeyName = None,
    manifests: Manifests = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Take the manifest that the owner pushed, if it is his and no older than the one here.

    \b
    Example:
      cipherlens manifest pull photos --keyring my.keys
    """
    keys, folder = open_keyring(keyring, passphrase_file), manifest_folder(manifests, keyring)
    with server.client() as client:
        where = client.get_collection(collection)
        signed = pull_manifest(client, where)
    known = folder.keep(where.uuid, signed, key_of(where, keys, key).verify_key)
    _tell(collection, folder, known, as_json=as_json)


def opened_items(client: Client, where: Collection, key: Key) -> dict[str, ListedItem]:
    """Return what is listed of all items, whose sealed originals and tags must open."""
    ids = [item.item_id for item in client.list_items(where)]
    items: dict[str, ListedItem] = {}
    tagging = Tagging(key, where.uuid)
    with progress_bar() as bar:
        for fetched in bar.track(client.fetch(where, ids), total=len(ids), description="items"):
            item = fetched.item
            if item is None:
                raise CommandError(
                    f"item {fetched.item_id!r} is {fetched.state}: nothing is signed"
                )
            if item.sealed_original:
                open_item(item, key)
            items[item.item_id] = ListedItem(
                item.revision,
                item.listed_digest(),
                bool(item.sealed_original),
                _tags(item, tagging),
            )
    return items


def _tags(item: Item, tagging: Tagging) -> ListedTags:
    """Return what is listed of an item's tags. Raises OpenError if they are not its own."""
    tags = tagging.read(item)
    return tagging.blinded(tags, item.item_id, item.revision).listed()


def _unknown(collection: str, folder: ManifestFolder) -> CommandError:
    return CommandError(
        f"no manifest of {collection!r} is in {folder.folder}",
        hint=MANIFEST_HINT,
        exit_code=NOT_FOUND,
    )


def _tell(collection: str, folder: ManifestFolder, manifest: Manifest, *, as_json: bool) -> None:
    document = {
        "collection": collection,
        "uuid": str(manifest.collection_uuid),
        "counter": manifest.counter,
        "item_count": len(manifest.items),
        "file": str(folder.path(manifest.collection_uuid)),
    }
    if as_json:
        print_json(document)
    else:
        print_facts(list(document.items()))
