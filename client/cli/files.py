"""`cipherlens encrypt` and `decrypt`: pictures in files, without a server."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cipherlens.base import replace_file
from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_json, progress_bar, remark
from cipherlens.client.cli.failure import FAILURE, CommandError
from cipherlens.client.cli.passphrase import open_key, open_keyring
from cipherlens.client.core.item import Item
from cipherlens.client.originals import restore_item
from cipherlens.client.picture import (
    LOCAL_PLACE,
    encrypt_pictures,
    png_bytes,
    prepare_picture,
    reason_of,
)
from cipherlens.crypto import CipherImage, CryptoError, ImageCipher, Keyring

CIPHER_SUFFIX = ".cimg"
"""Of a cipher-image's file."""

SEALED_SUFFIX = ".sealed"
"""Of a sealed original's file, beside the cipher-image's."""

VIEW_SUFFIX = ".view.png"

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def encrypt(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures.")],
    keyring: options.KeyringPath,
    out: Out,
    key: options.KeyName = None,
    seal: Annotated[
        bool, typer.Option("--seal", help="Keep the original beside it, sealed.")
    ] = False,
    view: Annotated[
        bool, typer.Option("--view", help="Write a PNG to look at, which cannot be decrypted.")
    ] = False,
    force: Force = False,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Encrypt pictures into files.

    Writes NAME.cimg, and with --seal NAME.sealed. A cipher-image carries features for a search
    and hides no more than the outlines of a picture that is attacked: the original is safe only
    in the sealed file. A sealed file opens beside its own cipher-image alone, wherever the two
    lie together.

    \b
    Examples:
      cipherlens encrypt beach.jpg --keyring my.keys --out secret/
      cipherlens encrypt *.jpg --keyring my.keys --seal --view --out secret/
    """
    entry = open_key(keyring, key, passphrase_file)
    cipher = ImageCipher(entry)

    def encrypted(path: Path) -> dict[str, bytes]:
        picture = prepare_picture(path, entry.parameters)
        places = [LOCAL_PLACE] if seal else None
        (result,) = encrypt_pictures([picture], entry, cipher, places)
        named = {path.name + CIPHER_SUFFIX: result.cipher_image.to_bytes()}
        if seal:
            named[path.name + SEALED_SUFFIX] = result.sealed_original
        if view:
            named[path.name + VIEW_SUFFIX] = png_bytes(result.cipher_image.view())
        return named

    _convert(files, encrypted, out, force=force, as_json=as_json)


def decrypt(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="What 'encrypt' wrote: NAME.cimg.")
    ],
    keyring: options.KeyringPath,
    out: Out,
    key: options.KeyName = None,
    force: Force = False,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Decrypt what 'encrypt' wrote.

    A cipher-image with its sealed original beside it gives that back. Without it a PNG of the
    prepared picture is written, exact to the pixel.

    \b
    Examples:
      cipherlens decrypt secret/beach.jpg.cimg --keyring my.keys --out plain/
      cipherlens decrypt secret/*.cimg --keyring my.keys --out plain/
    """
    ring = open_keyring(keyring, passphrase_file)
    _convert(files, lambda path: _decrypted(path, ring, key), out, force=force, as_json=as_json)


def _decrypted(path: Path, ring: Keyring, key: str | None) -> dict[str, bytes]:
    """Return the plain file of a cipher-image's file, by its name.

    Raises:
        CommandError: it is not named like a cipher-image's file.
    """
    if path.suffix not in {CIPHER_SUFFIX, SEALED_SUFFIX}:
        raise CommandError(f"its name does not end in {CIPHER_SUFFIX}, as what 'encrypt' wrote")
    base = path.with_name(path.name.removesuffix(SEALED_SUFFIX).removesuffix(CIPHER_SUFFIX))
    cipher_path = base.with_name(base.name + CIPHER_SUFFIX)
    sealed_path = base.with_name(base.name + SEALED_SUFFIX)
    image = CipherImage.from_bytes(cipher_path.read_bytes())
    entry = ring.by_fingerprint(image.key_fingerprint) if key is None else ring.get(key)
    sealed = sealed_path.read_bytes() if sealed_path.exists() else b""
    item = Item(
        **asdict(LOCAL_PLACE), sequence=0, owner_tag=b"", cipher_image=image, sealed_original=sealed
    )
    original = restore_item(item, entry, ImageCipher(entry))
    return {base.name if sealed else base.stem + ".png": original.data}


def _convert(
    files: Sequence[Path],
    convert: Callable[[Path], dict[str, bytes]],
    out: Path,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Convert every file into out; one that fails does not stop the others."""
    out.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with progress_bar() as bar:
        for path in bar.track(files, description="files"):
            try:
                written = _write_all(out, convert(path), force=force)
                done.append({"file": str(path), "written": written})
            except (CryptoError, OSError, CommandError) as error:
                failed.append({"file": str(path), "error": reason_of(error)})
    if as_json:
        print_json({"done": done, "failed": failed})
    else:
        for line in (path for each in done for path in each["written"]):
            typer.echo(line)
    for failure in failed:
        remark(f"{failure['file']}: {failure['error']}")
    if failed:
        raise typer.Exit(FAILURE)


def _write_all(out: Path, named: dict[str, bytes], *, force: bool) -> list[str]:
    """Write files into a folder and return their paths.

    Raises:
        CommandError: one is there already and force was not given, or a sealed original would
            lose the cipher-image that it opens beside; then none is written.
    """
    for name in named:
        if (out / name).exists() and not force:
            raise CommandError(f"{out / name} is there already; --force writes over it")
        sealed = name.removesuffix(CIPHER_SUFFIX) + SEALED_SUFFIX
        if name.endswith(CIPHER_SUFFIX) and sealed not in named and (out / sealed).exists():
            raise CommandError(f"{out / sealed} opens beside the old {name} alone; add --seal")
    for name, data in named.items():
        replace_file(out / name, data)
    return [str(out / name) for name in named]
