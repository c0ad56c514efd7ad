"""`cipherlens item`: list, fetch and delete the items of a collection."""

import mimetypes
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cipherlens.base import replace_file
from cipherlens.client import Client, Collection, Fetched, Item, ItemState, Naming
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, print_outcome, print_table, remark
from cipherlens.client.cli.documents import summary_document
from cipherlens.client.cli.failure import FAILURE, NOT_FOUND, CommandError
from cipherlens.client.cli.files import CIPHER_SUFFIX, SEALED_SUFFIX, Force
from cipherlens.client.cli.group import group
from cipherlens.client.cli.passphrase import key_of, open_keyring
from cipherlens.client.picture import reason_of
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import CryptoError, FormatError, KeyEntry, Keyring, Original

CollectionName = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.")]
Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Names of items, or their ids.")
]

app = group("List, fetch and delete the items of a collection.")


@app.command("list")
@connected
def list_(
    collection: CollectionName,
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """List the items of a collection by their ids; with --json one document a line.

    With a keyring their names are shown, which are opened here.

    \b
    Examples:
      cipherlens item list photos --keyring my.keys
      cipherlens item list photos --json | jq -r .item_id
    """
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        entry = _key(where, keys, key)
        naming = None if entry is None else Naming(entry, where.uuid)
        items = (
            (item, None if naming is None else naming.name_of(item))
            for item in client.list_items(where)
        )
        if as_json:
            for item, name in items:
                print_json(summary_document(item, name))
            return
        rows = [
            (name or item.item_id, item.revision, item.sequence, item.sealed_size_bytes)
            for item, name in items
        ]
    print_table(("ITEM", "REVISION#", "SEQUENCE#", "SEALED BYTES#"), rows)


@app.command()
@connected
def fetch(
    collection: CollectionName,
    names: Names,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")],
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    readable_ids: options.ReadableIds = False,
    force: Force = False,
    passphrase_file: options.PassphraseFile = None,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Fetch items and write them decrypted: the original, or a PNG of the cipher-image.

    With a keyring items go by name, of which the server learns nothing, or by id. Without one they
    go by id, and the ciphertext is written as it is stored, for 'decrypt'.

    A name becomes a path below the folder of --out; one that would lead out of it is
    percent-encoded. Nothing is written over without --force, and ciphertext of a later revision not
    even then. An item that cannot be written does not stop the others.

    \b
    Examples:
      cipherlens item fetch photos holidays/beach.jpg --keyring my.keys --out found/
      cipherlens item fetch photos t4odfhcecvodwi3ag46xc5hh7e5obysu --out ciphertext/
    """
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    results: list[dict[str, Any]] = []
    with server.client() as client:
        where = client.get_collection(collection)
        client.key = _key(where, keys, key)
        wanted = _ids_of(names, client.key, where, readable_ids=readable_ids)
        for fetched in client.fetch(where, wanted):
            name = _name_of(fetched, client.key) or wanted[fetched.item_id]
            results.append(_write(client, fetched, name, out, force=force))
            if not as_json:
                _tell(results[-1])
    if as_json:
        print_json({"collection": collection, "items": results})
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
    passphrase_file: options.PassphraseFile = None,
    yes: options.Yes = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Delete items as they are now, by name with a keyring, else by id.

    Those that are not there are no error, and what another writes there meanwhile stays.

    \b
    Example:
      cipherlens item delete photos holidays/beach.jpg --keyring my.keys --yes
    """
    options.confirm(f"delete {len(names)} items of {collection!r}?", yes=yes)
    keys = None if keyring is None else open_keyring(keyring, passphrase_file)
    with server.client() as client:
        where = client.get_collection(collection)
        entry = _key(where, keys, key)
        count = client.delete(where, _ids_of(names, entry, where, readable_ids=readable_ids))
    told = f"{count} of {len(names)} items were there and are deleted"
    print_outcome({"collection": collection, "deleted": count}, told, as_json=as_json)


def _key(where: Collection, keys: Keyring | None, name: str | None) -> KeyEntry | None:
    """Return the key of a collection, if there is a keyring."""
    return None if keys is None else key_of(where, keys, name)


def _ids_of(
    names: list[str], entry: KeyEntry | None, where: Collection, *, readable_ids: bool
) -> dict[str, str]:
    """Return the ids of items, each with what it was asked for by."""
    if entry is None:
        return {name: name for name in names}
    return Naming(entry, where.uuid, readable_ids=readable_ids).ids_of(names)


def _name_of(fetched: Fetched, entry: KeyEntry | None) -> str | None:
    """Return the name of an item that was fetched, if there is a key and an item."""
    if entry is None or fetched.item is None:
        return None
    return Naming(entry, fetched.item.collection_uuid).name_of(fetched.item)


def _write(
    client: Client, fetched: Fetched, name: str, out: Path, *, force: bool
) -> dict[str, Any]:
    """Write one item below out and return what became of it."""
    written: list[str] = []
    error = "" if fetched.item else f"the item is {fetched.state}"
    if fetched.item is not None:
        try:
            for path, data in _files_of(client, fetched.item, name):
                _put(out / path, data, force=force)
                written.append(str(out / path))
        except (CryptoError, CommandError, OSError, ValueError) as failure:
            error = reason_of(failure)
    return {
        "item_id": fetched.item_id,
        "name": name,
        "state": str(fetched.state),
        "files": sorted(written),
        "error": error,
    }


def _put(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file, not over another one unless that is forced, nor ever over a newer item.

    Raises:
        CommandError: there is one.
    """
    if path.exists():
        if not force:
            raise CommandError(f"{path} is there already; --force writes over it")
        _check_age(path, data)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, data)


def _check_age(path: Path, data: bytes) -> None:
    """Return unless the file at path is of the same item as data, sealed, and of a later revision.

    Raises:
        CommandError: it is: a server may hand out what the owner has replaced.
    """
    if not path.name.endswith(SEALED_SUFFIX):
        return
    try:
        there = read_sealed_file(path.read_bytes())
    except FormatError:
        return
    new = read_sealed_file(data)
    same = (there.collection_uuid, there.item_id) == (new.collection_uuid, new.item_id)
    if same and there.revision > new.revision:
        raise CommandError(
            f"the server has revision {new.revision}, {path} the later one {there.revision}"
        )


def _files_of(client: Client, item: Item, name: str) -> Iterable[tuple[str, bytes]]:
    """Return paths and bytes: of the decrypted file, or without a key of what is stored.

    Raises:
        ValueError: there is neither a cipher-image nor a sealed original.
    """
    base = _relative_path(name)
    if client.key is not None:
        original = client.restore(item)
        return [(base + _suffix(name, original), original.data)]
    files = []
    if item.sealed_original:
        files.append((base + SEALED_SUFFIX, sealed_file(item)))
    if item.cipher_image is not None:
        files.append((base + CIPHER_SUFFIX, item.cipher_image.to_bytes()))
    if not files:
        raise ValueError("it has no sealed original: there is nothing to decrypt")
    return files


def _suffix(name: str, original: Original) -> str:
    """Return what to add to an item's name so that the file's tells its type."""
    known, _ = mimetypes.guess_type(name)
    if known == original.media_type:
        return ""
    return mimetypes.guess_extension(original.media_type) or ""


def _relative_path(name: str) -> str:
    """Return a name as a path that stays within its folder."""
    parts = PurePosixPath(name).parts
    safe = all(part not in {"..", "/"} for part in parts) and "/".join(parts) == name
    return name if safe and "\0" not in name else quote(name, safe="").replace(".", "%2E")


def _tell(result: dict[str, Any]) -> None:
    for path in result["files"]:
        typer.echo(path)
    if result["error"]:
        remark(f"{result['name']}: {result['error']}")
