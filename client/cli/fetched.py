"""Items that were fetched, in files: decrypted, or as they are stored."""

import mimetypes
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cipherlens.base import read_regular, replace_file
from cipherlens.client import Client, Fetched, Item, Naming
from cipherlens.client.cli.console import HIDDEN
from cipherlens.client.cli.failure import CommandError
from cipherlens.client.cli.files import CIPHER_SUFFIX, MAX_SEALED_FILE_BYTES, SEALED_SUFFIX
from cipherlens.client.cli.streams import STREAM, write_output
from cipherlens.client.picture import reason_of
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import (
    CryptoError,
    FormatError,
    Key,
    Manifest,
    NotGenuine,
    Original,
    StaleItem,
)

# What no name has on Windows, which parts paths at "\\" and takes "C:x" to another drive; and what
# is not seen, or turns the order of what is.
_FORBIDDEN = re.compile(f'[<>:"|?*\\\\{re.escape("".join(map(chr, HIDDEN)))}\n\t]')
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789\u00b9\u00b2\u00b3"
}


def write_fetched(
    client: Client,
    fetched: Fetched,
    asked: str,
    manifest: Manifest | None,
    out: Path,
    *,
    force: bool,
) -> dict[str, Any]:
    """Write one item below out, which was asked for by a name, and return what became of it."""
    name, written, genuine = asked, list[str](), True
    error = "" if fetched.item else f"the item is {fetched.state}"
    try:
        if fetched.item is None:
            _check_absent(fetched, manifest)
        else:
            name = _name_of(fetched.item, asked, client.key)
            files = _files_of(client, fetched.item, name, manifest)
            if out == STREAM:
                write_output(files[0][1])  # of two the sealed file, which holds both
                files = []
            for path, data in files:
                _put(out / path, data, force=force)
                written.append(str(out / path))
    except (CryptoError, CommandError, OSError, ValueError) as failure:
        error, genuine = reason_of(failure), not isinstance(failure, NotGenuine)
    return {
        "item_id": fetched.item_id,
        "name": name,
        "state": str(fetched.state),
        "files": sorted(written),
        "genuine": genuine,
        "error": error,
    }


def _name_of(item: Item, asked: str, key: Key | None) -> str:
    """Return the name of an item: what it was asked for by, where there is no key to open it."""
    return asked if key is None else Naming(key, item.collection_uuid).name_of(item)


def _check_absent(fetched: Fetched, manifest: Manifest | None) -> None:
    """Return if an item that is not there is not listed either. Raises StaleItem if it is."""
    if manifest is not None and fetched.item_id in manifest.items:
        raise StaleItem(f"the item is {fetched.state}, manifest {manifest.counter} lists it")


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
        there = read_sealed_file(read_regular(path, MAX_SEALED_FILE_BYTES))
    except (FormatError, OSError):
        return
    new = read_sealed_file(data)
    same = (there.collection_uuid, there.item_id) == (new.collection_uuid, new.item_id)
    if same and there.revision > new.revision:
        raise CommandError(
            f"the server has revision {new.revision}, {path} the later one {there.revision}"
        )


def _files_of(
    client: Client, item: Item, name: str, manifest: Manifest | None
) -> list[tuple[str, bytes]]:
    """Return paths and bytes: of the decrypted file, or without a key of what is stored.

    Raises:
        NotGenuine: it does not open, or is not what the manifest lists.
        ValueError: there is neither a cipher-image nor a sealed original.
    """
    base = _relative_path(name)
    if client.key is not None:
        original = client.restore(item, manifest=manifest)
        return [(base + suffix_of(name, original), original.data)]
    files = []
    if item.sealed_original:
        files.append((base + SEALED_SUFFIX, sealed_file(item)))
    if item.cipher_image is not None:
        files.append((base + CIPHER_SUFFIX, item.cipher_image.to_bytes()))
    if not files:
        raise ValueError("it has no sealed original: there is nothing to decrypt")
    return files


def suffix_of(name: str, original: Original) -> str:
    """Return what to add to an item's name so that the file's tells its type."""
    known, _ = mimetypes.guess_type(name)
    if known == original.media_type:
        return ""
    return mimetypes.guess_extension(original.media_type) or ""


def _relative_path(name: str) -> str:
    """Return a name as a path that stays within its folder, on every system that there is.

    What cannot be one, or would be shown as another than it is, is written in the letters of URLs.
    """
    parts = name.split("/")
    if all(map(_is_portable, parts)):
        return name
    written = quote(name, safe="").replace(".", "%2E")
    return written if _is_portable(written) else f"%{written[:1].encode().hex()}{written[1:]}"


def _is_portable(part: str) -> bool:
    """Return whether a file of this name can be made everywhere, and shows as what it is."""
    if part in {"", ".", ".."} or part.endswith((".", " ")) or _FORBIDDEN.search(part):
        return False
    return part.partition(".")[0].rstrip(" ").upper() not in _DEVICES
