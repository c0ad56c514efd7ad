"""`cipherlens item`: list, write, fetch and delete the items of a collection."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from cipherlens.client import Collection, ItemState, ItemSummary, ItemView, Naming, Tagging
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, print_outcome, print_table, remark
from cipherlens.client.cli.documents import summary_document
from cipherlens.client.cli.failure import FAILURE, NOT_FOUND, NOT_GENUINE
from cipherlens.client.cli.fetched import write_fetched
from cipherlens.client.cli.files import Force, Out
from cipherlens.client.cli.group import group
from cipherlens.client.cli.manifest import NEWER_HINT, Manifests, known_manifest, manifest_folder
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.cli.put import put
from cipherlens.client.cli.streams import check_output
from cipherlens.crypto import (
    Key,
    Keyring,
)

CollectionName = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.")]
Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Names of items, or their ids.")
]

app = group("List, write, fetch and delete the items of a collection.")
app.command("put")(put)


@app.command("list")
@connected
def list_(
    collection: CollectionName,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    prefix: Annotated[
        str,
        typer.Option("--prefix", metavar="TEXT", help="Only those whose name, or id, begins so."),
    ] = "",
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """List the items of a collection by their ids; with --json one document a line.

    With a keyring their names and tags are shown, which are opened here; --prefix goes by them.

    \b
    Examples:
      cipherlens item list photos --keyring my.keys --prefix holidays/
      cipherlens item list photos --json | jq -r .item_id
    """
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        entry = _key(where, keys, key)
        opened = _opener(entry, where)
        items = (
            (item, name, tags)
            for item in client.list_items(where)
            for name, tags in [opened(item)]
            if (name or item.item_id).startswith(prefix)
        )
        if as_json:
            for item, name, tags in items:
                print_json(summary_document(item, name, tags))
            return
        rows = [
            (
                name or item.item_id,
                item.revision,
                item.sequence,
                item.sealed_size_bytes,
                ", ".join(tags or ()),
            )
            for item, name, tags in items
        ]
    print_table(("ITEM", "REVISION#", "SEQUENCE#", "SEALED BYTES#", "TAGS"), rows)


@app.command()
@connected
def exists(
    collection: CollectionName,
    names: Names,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    readable_ids: options.ReadableIds = False,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Say which items are there, by name with a keyring, else by id.

    The exit code is 0 if all are, 3 if one is missing and 1 if one is damaged.

    \b
    Example:
      cipherlens item exists photos holidays/beach.jpg --keyring my.keys
    """
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        wanted = _ids_of(names, _key(where, keys, key), where, readable_ids=readable_ids)
        found = client.fetch(where, wanted, view=ItemView.HEAD)
        states = {wanted[each.item_id]: each.state for each in found}
    if as_json:
        print_json({"collection": collection, "items": states})
    else:
        print_table(("ITEM", "STATE"), states.items())
    if ItemState.MISSING in states.values():
        raise typer.Exit(NOT_FOUND)
    if ItemState.DAMAGED in states.values():
        raise typer.Exit(FAILURE)


@app.command()
@connected
def fetch(
    collection: CollectionName,
    names: Names,
    out: Out,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    readable_ids: options.ReadableIds = False,
    manifests: Manifests = None,
    force: Force = False,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Fetch items and write them decrypted: the original, or a PNG of the cipher-image.

    With a keyring items go by name, of which the server learns nothing, or by id. Without one they
    go by id, and the ciphertext is written as it is stored, for 'decrypt'.

    Items are held to the owner's manifest, if one is known here: what it does not list, or lists
    otherwise, is not written, and the exit code is 5, as where a seal does not open.

    A name becomes a path below the folder of --out; one that would lead out of it is
    percent-encoded. Nothing is written over without --force, and ciphertext of a later revision not
    even then. An item that cannot be written does not stop the others.

    \b
    Examples:
      cipherlens item fetch photos holidays/beach.jpg --keyring my.keys --out found/
      cipherlens item fetch photos t4odfhcecvodwi3ag46xc5hh7e5obysu --out ciphertext/
      cipherlens item fetch photos beach.jpg --keyring my.keys --out - | display
    """
    check_output(out, names, as_json=as_json)
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    results: list[dict[str, Any]] = []
    with server.client() as client:
        where = client.get_collection(collection)
        client.key = _key(where, keys, key)
        manifest = None
        if client.key is not None and keyring is not None:
            manifest = known_manifest(manifests, keyring, where.uuid, client.key)
        wanted = _ids_of(names, client.key, where, readable_ids=readable_ids)
        for fetched in client.fetch(where, wanted):
            name = wanted[fetched.item_id]
            results.append(write_fetched(client, fetched, name, manifest, out, force=force))
            if not as_json:
                _tell(results[-1])
    if as_json:
        print_json({"collection": collection, "items": results})
    if any(not result["genuine"] for result in results):
        if manifest is not None:
            remark(f"  {NEWER_HINT}")
        raise typer.Exit(NOT_GENUINE)
    if any(result["state"] == ItemState.MISSING for result in results):
        raise typer.Exit(NOT_FOUND)
    if any(result["error"] for result in results):
        raise typer.Exit(FAILURE)


@app.command()
@connected
def delete(
    collection: CollectionName,
    names: Names,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    readable_ids: options.ReadableIds = False,
    manifests: Manifests = None,
    passphrase_file: options.PassphraseFile = None,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Delete items as they are now, by name with a keyring, else by id.

    Those that are not there are no error, and what another writes there meanwhile stays. With a
    keyring they are taken out of the manifest, too.

    \b
    Example:
      cipherlens item delete photos holidays/beach.jpg --keyring my.keys --yes
    """
    options.confirm(f"delete {len(names)} items of {collection!r}?", yes=yes or dry_run)
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        entry = _key(where, keys, key)
        ids = _ids_of(names, entry, where, readable_ids=readable_ids)
        count = sum(client.exists(where, ids).values()) if dry_run else client.delete(where, ids)
        if entry is not None and keyring is not None and not dry_run:
            folder = manifest_folder(manifests, keyring)
            if folder.load(where.uuid, entry.verify_key) is not None:
                folder.record(entry, where.uuid, {}, removed=ids)
    done = "are there and would be" if dry_run else "were there and are"
    document = {"collection": collection, "deleted": count}
    if dry_run:
        document["dry_run"] = True
    print_outcome(document, f"{count} of {len(names)} items {done} deleted", as_json=as_json)


def _key(where: Collection, keys: Keyring | None, name: str | None) -> Key | None:
    """Return the key of a collection, if there is a keyring."""
    return None if keys is None else key_of(where, keys, name)


def _opener(
    entry: Key | None, where: Collection
) -> Callable[[ItemSummary], tuple[str | None, list[str] | None]]:
    """Return what opens names and tags of items; without a key they are None."""
    if entry is None:
        return lambda _item: (None, None)
    naming, tagging = Naming(entry, where.uuid), Tagging(entry, where.uuid)
    return lambda item: (naming.name_of(item), tagging.read(item))


def _ids_of(
    names: list[str], entry: Key | None, where: Collection, *, readable_ids: bool
) -> dict[str, str]:
    """Return the ids of items, each with what it was asked for by."""
    if entry is None:
        return {name: name for name in names}
    return Naming(entry, where.uuid, readable_ids=readable_ids).ids_of(names)


def _tell(result: dict[str, Any]) -> None:
    for path in result["files"]:
        typer.echo(path)
    if result["error"]:
        remark(f"{result['name']}: {result['error']}")
