"""`cipherlens encrypt` and `decrypt`: pictures in files, without a server."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from cipherlens.base import read_regular, replace_file
from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_json, progress_bar, remark
from cipherlens.client.cli.failure import FAILURE, NOT_GENUINE, SUCCESS, USAGE, CommandError
from cipherlens.client.cli.manifest import Manifests, manifest_folder
from cipherlens.client.cli.passphrase import open_key, open_keyring
from cipherlens.client.cli.streams import (
    NAME,
    STREAM,
    check_output,
    read_input,
    write_output,
)
from cipherlens.client.core.item import Item
from cipherlens.client.core.pictures import EncryptedPicture
from cipherlens.client.key_in_use import KeyInUse
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.originals import check_vouched, restore_item
from cipherlens.client.picture import (
    LOCAL_PLACE,
    MAX_PICTURE_BYTES,
    encrypt_pictures,
    png_bytes,
    prepare_picture,
    reason_of,
)
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import (
    CipherImage,
    CryptoError,
    FormatError,
    ImageCipher,
    Keyring,
    NotGenuine,
)

CIPHER_SUFFIX = ".cimg"
"""Of a cipher-image's file."""

SEALED_SUFFIX = ".sealed"
"""Of a sealed original's file, which holds what it stands beside too."""

VIEW_SUFFIX = ".view.png"

MAX_SEALED_FILE_BYTES = 2 * MAX_PICTURE_BYTES
"""The largest file that is decrypted: an original, and what it stands beside."""

Out = Annotated[
    Path,
    typer.Option(
        "--out", metavar="DIR", help="Where the files go; - is standard output, for one of them."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def encrypt(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES...", help="Pictures; - is standard input.")
    ],
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

    Writes NAME.cimg, and with --seal NAME.sealed, which holds both and is what goes to standard
    output then. A cipher-image carries features for a search
    and hides no more than the outlines of a picture that is attacked: the original is safe only
    in the sealed file, which opens wherever it lies.

    \b
    Examples:
      cipherlens encrypt beach.jpg --keyring my.keys --out secret/
      cipherlens encrypt *.jpg --keyring my.keys --seal --view --out secret/
      cat beach.jpg | cipherlens encrypt - --keyring my.keys --out - > beach.jpg.cimg
    """
    check_output(out, files, as_json=as_json)
    if view and out == STREAM:
        raise CommandError("--view writes a second file: name a folder", exit_code=USAGE)
    suffixes = [CIPHER_SUFFIX] + [SEALED_SUFFIX] * seal + [VIEW_SUFFIX] * view
    check_distinct(files, lambda path: [_name(path) + suffix for suffix in suffixes])
    entry = open_key(keyring, key, passphrase_file)
    cipher = ImageCipher(entry)

    def encrypted(path: Path) -> dict[str, bytes]:
        source = read_input(MAX_PICTURE_BYTES) if path == STREAM else path
        picture, name = prepare_picture(source, entry.parameters), _name(path)
        places = [LOCAL_PLACE] if seal else None
        (result,) = encrypt_pictures([picture], entry, cipher, places)
        named = {}
        if seal:  # first, for it holds both: a crash in between leaves the new original, whole
            named[name + SEALED_SUFFIX] = sealed_file(_local_item(result))
        named[name + CIPHER_SUFFIX] = result.cipher_image.to_bytes()
        if view:
            named[name + VIEW_SUFFIX] = png_bytes(result.cipher_image.view())
        return named

    convert(files, encrypted, out, force=force, as_json=as_json)


def decrypt(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES...",
            help="What 'encrypt' wrote: NAME.cimg, NAME.sealed; - is one on standard input.",
        ),
    ],
    keyring: options.KeyringPath,
    out: Out,
    key: options.KeyName = None,
    manifests: Manifests = None,
    force: Force = False,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Decrypt what 'encrypt' wrote, or 'item fetch' without a keyring.

    NAME.sealed gives back the original. NAME.cimg does where NAME.sealed lies beside it; without,
    a PNG of the prepared picture is written, exact to the pixel, which nothing vouches for. What
    was fetched is held to the owner's manifest, if one is known here; what does not open, or is
    not what it lists, is not written, with exit code 5.

    \b
    Examples:
      cipherlens decrypt secret/beach.jpg.cimg --keyring my.keys --out plain/
      cipherlens decrypt secret/*.sealed --keyring my.keys --out plain/
      cipherlens decrypt - --keyring my.keys --out - < beach.jpg.sealed > beach.jpg
    """
    check_output(out, files, as_json=as_json)
    # A pair that is named whole is one original.
    files = [path for path in files if path.suffix != CIPHER_SUFFIX or _sealed(path) not in files]
    check_distinct(files, lambda path: [_plain_name(path)])
    ring = open_keyring(keyring, passphrase_file)
    folder = manifest_folder(manifests, keyring)
    convert(
        files, lambda path: _decrypted(path, ring, key, folder), out, force=force, as_json=as_json
    )


def check_distinct(files: Sequence[Path], names: Callable[[Path], list[str]]) -> None:
    """Return if no two files would be written under one name.

    Raises:
        CommandError: two would be; names both.
    """
    sources: dict[str, Path] = {}
    for path in files:
        for name in names(path):
            if name in sources:
                raise CommandError(
                    f"{sources[name]} and {path} would both be written as {name}",
                    hint="give each run files of different names",
                    exit_code=USAGE,
                )
            sources[name] = path


def _name(path: Path) -> str:
    return NAME if path == STREAM else path.name


def _base(path: Path) -> Path:
    """Return the path of a cipher-image's or sealed original's file without its suffix.

    Raises:
        CommandError: it is not named like one.
    """
    for suffix in (CIPHER_SUFFIX, SEALED_SUFFIX):
        if path.name.endswith(suffix) and path.name != suffix:
            return path.with_name(path.name.removesuffix(suffix))
    raise CommandError(f"its name does not end in {CIPHER_SUFFIX}, as what 'encrypt' wrote")


def _sealed(path: Path) -> Path:
    base = _base(path)
    return base.with_name(base.name + SEALED_SUFFIX)


def _plain_name(path: Path) -> str:
    """Return the name under which a file is written decrypted."""
    if path == STREAM:
        return NAME
    try:
        base = _base(path)
    except CommandError:  # told when its turn comes, as other files that cannot be decrypted
        return path.name
    return base.name if _sealed(path).exists() else base.stem + ".png"


def _decrypted(
    path: Path, ring: Keyring, key: str | None, manifests: ManifestFolder
) -> dict[str, bytes]:
    """Return the plain file of a cipher-image's or sealed original's file, by its name."""
    item = _streamed() if path == STREAM else _stored(path)
    stated = b"" if item.cipher_image is None else item.cipher_image.key_fingerprint
    entry = ring.key_for(item.collection_uuid, stated, key)
    check_vouched(item, 0, manifests.load(item.collection_uuid, entry.verify_key))
    return {_plain_name(path): restore_item(item, KeyInUse(entry)).data}


def _stored(path: Path) -> Item:
    """Return what the file of a cipher-image, or of a sealed original, holds.

    Raises:
        CommandError: it is named like neither, or is a cipher-image's that is not the one which
            the sealed original beside it has.
    """
    sealed_path = _sealed(path)
    image: CipherImage | None = None
    if path != sealed_path:
        image = CipherImage.from_bytes(read_regular(path, MAX_SEALED_FILE_BYTES))
    if image is not None and not sealed_path.exists():
        return _local_item(EncryptedPicture(cipher_image=image))
    item = read_sealed_file(read_regular(sealed_path, MAX_SEALED_FILE_BYTES))
    if image is not None and image != item.cipher_image:
        raise CommandError(f"{sealed_path} is of another cipher-image; decrypt it by its own name")
    return item


def _streamed() -> Item:
    """Return the item on standard input. Raises CommandError if it is none."""
    data = read_input(MAX_SEALED_FILE_BYTES)
    try:
        return _local_item(EncryptedPicture(cipher_image=CipherImage.from_bytes(data)))
    except FormatError:
        pass
    try:
        return read_sealed_file(data)
    except FormatError as error:
        raise CommandError(
            f"standard input is neither a cipher-image nor a sealed original: {error}"
        ) from error


def _local_item(picture: EncryptedPicture) -> Item:
    """Return an item that stands nowhere but in files."""
    return Item(
        **asdict(LOCAL_PLACE),
        sequence=0,
        owner_tag=b"",
        cipher_image=picture.cipher_image,
        sealed_original=picture.sealed_original,
    )


def convert(
    files: Sequence[Path],
    convert: Callable[[Path], dict[str, bytes]],
    out: Path,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Convert every file into out; one that fails does not stop the others."""
    if out == STREAM:
        write_output(next(iter(convert(files[0]).values())))
        return
    out.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    code = SUCCESS
    with progress_bar() as bar:
        for path in bar.track(files, description="files"):
            try:
                written = _write_all(out, convert(path), force=force)
                done.append({"file": str(path), "written": written})
            except (CryptoError, OSError, CommandError) as error:
                failed.append({"file": str(path), "error": reason_of(error)})
                code = max(code, NOT_GENUINE if isinstance(error, NotGenuine) else FAILURE)
    if as_json:
        print_json({"done": done, "failed": failed})
    else:
        for line in (path for each in done for path in each["written"]):
            typer.echo(line)
    for failure in failed:
        remark(f"{failure['file']}: {failure['error']}")
    if failed:
        raise typer.Exit(code)


def _write_all(out: Path, named: dict[str, bytes], *, force: bool) -> list[str]:
    """Write files into a folder, in their order, and return their paths.

    Raises:
        CommandError: one is there already and force was not given, or the sealed original of
            another cipher-image would stay; then none is written.
    """
    for name in named:
        if (out / name).exists() and not force:
            raise CommandError(f"{out / name} is there already; --force writes over it")
        sealed = name.removesuffix(CIPHER_SUFFIX) + SEALED_SUFFIX
        if name.endswith(CIPHER_SUFFIX) and sealed not in named and (out / sealed).exists():
            raise CommandError(f"{out / sealed} is of the old {name}; add --seal, or remove it")
    for name, data in named.items():
        replace_file(out / name, data)
    return [str(out / name) for name in sorted(named)]
