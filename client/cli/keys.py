"""`cipherlens keys`: make keys, show them, upgrade their file; further commands stand beside."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client.cli import identity, keyring_changes, options
from cipherlens.client.cli.console import print_json, print_outcome, print_table, remark
from cipherlens.client.cli.documents import granted_document, key_document
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.group import group
from cipherlens.client.cli.keyring_changes import KeyringArgument
from cipherlens.client.cli.passphrase import keyring_passphrase, new_passphrase, open_keyring
from cipherlens.client.cli.rotate import rotate
from cipherlens.crypto import CipherParameters, GrantedKey, KeyEntry, Keyring, Scope

app = group("Make and show keys, and change the keyring that holds them.")
app.add_typer(identity.app, name="identity")
for name, command in (
    ("passphrase", keyring_changes.passphrase),
    ("export", keyring_changes.export),
    ("import", keyring_changes.import_),
    ("rename", keyring_changes.rename),
    ("remove", keyring_changes.remove),
    ("rotate", rotate),
):
    app.command(name)(command)


@app.command()
def new(
    keyring: KeyringArgument,
    name: Annotated[str, typer.Option("--name", help="The new key's name.")] = "main",
    scope: Annotated[
        Scope,
        typer.Option(
            help="image: fresh sequences for every image, and one model serves every key. "
            "collection: one set for all images, as in the paper; it gives away more, and the "
            "model is of this key alone."
        ),
    ] = Scope.IMAGE,
    block: Annotated[int, typer.Option(metavar="P", help="Side of a block in pixels.")] = 16,
    substituted: Annotated[
        int | None,
        typer.Option(metavar="M", help="Colour-substituted blocks; a quarter if left out."),
    ] = None,
    height: Annotated[int, typer.Option(help="Prepared height of a landscape, in pixels.")] = 128,
    width: Annotated[int, typer.Option(help="Prepared width of a landscape, in pixels.")] = 192,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave a new keyring unprotected.")
    ] = False,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Make a key, in a new keyring or in one that is there.

    Whoever holds the keyring and its passphrase can decrypt everything: keep a copy of both in
    a safe place. What is lost cannot be recovered.

    \b
    Examples:
      cipherlens keys new my.keys
      cipherlens keys new my.keys --name paper --scope collection --block 16
      cipherlens keys new test.keys --no-passphrase
    """
    entry = KeyEntry.generate(name, _parameters(scope, block, substituted, height, width))
    there = keyring.exists()
    if there and no_passphrase and Keyring.is_protected(keyring):
        raise CommandError(
            f"{keyring} has a passphrase, which --no-passphrase does not take away", exit_code=USAGE
        )
    if there:
        passphrase = keyring_passphrase(keyring, passphrase_file)
        Keyring.update(keyring, passphrase, lambda ring: _add(ring, entry, keyring))
    else:
        passphrase = None if no_passphrase else new_passphrase(passphrase_file)
        Keyring([entry]).save(keyring, passphrase, unprotected=passphrase is None)
    _tell(entry, keyring, protected=passphrase is not None, as_json=as_json)


@app.command()
def show(
    keyring: KeyringArgument,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Show the keys of a keyring, by what others may know of them, and the grants in it.

    \b
    Examples:
      cipherlens keys show my.keys
      cipherlens keys show my.keys --json
    """
    ring = open_keyring(keyring, passphrase_file)
    granted = ring.received.granted()
    if as_json:
        keys = [key_document(entry) for entry in ring.entries]
        grants = [granted_document(each) for each in granted]
        print_json({"keyring": str(keyring), "keys": keys, "grants": grants})
        return
    columns = ("NAME", "FINGERPRINT", "SCOPE", "SIZE", "P#", "M#", "MADE")
    print_table(columns, [_row(entry) for entry in ring.entries])
    if granted:
        heads = ("GRANTED", "FINGERPRINT", "RIGHTS", "KIND", "COLLECTION", "EXPIRES")
        print_table(heads, [_granted_row(each) for each in granted])


@app.command()
def upgrade(
    keyring: KeyringArgument,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Bring a keyring of an earlier version to today's.

    Its keys get signing seeds of their own, which no reader holds. What was sealed or signed before
    does not count as the owner's any more: index the pictures again, seal hash networks again.

    \b
    Example:
      cipherlens keys upgrade my.keys
    """
    passphrase = keyring_passphrase(keyring, passphrase_file)
    ring = Keyring.load(keyring, passphrase, upgrade=True)
    ring.save(keyring, passphrase, unprotected=passphrase is None)
    document = {"keyring": str(keyring), "keys": [key_document(entry) for entry in ring.entries]}
    print_outcome(document, f"{keyring} is of today's version", as_json=as_json)


def _add(ring: Keyring, entry: KeyEntry, keyring: Path) -> None:
    """Add a new key. Raises CommandError if its name is taken."""
    if any(each.name == entry.name for each in ring.entries):
        raise CommandError(
            f"{keyring} already has a key named {entry.name!r}",
            hint="--name gives the new key another name",
            exit_code=USAGE,
        )
    ring.add(entry)


def _parameters(
    scope: Scope, block: int, substituted: int | None, height: int, width: int
) -> CipherParameters:
    """Return the parameters of a new key."""
    base = CipherParameters(
        height=height, width=width, block_size=block, substituted_blocks=0, scope=scope
    )
    blocks = base.blknum // 4 if substituted is None else substituted
    return replace(base, substituted_blocks=blocks)


def _tell(entry: KeyEntry, keyring: Path, *, protected: bool, as_json: bool) -> None:
    document = {"keyring": str(keyring), "protected": protected, "key": key_document(entry)}
    told = f"key {entry.name!r} ({entry.fingerprint.hex()}) is in {keyring}"
    print_outcome(document, told, as_json=as_json)
    if not protected:
        remark(f"warning: {keyring} has no passphrase: whoever can read the file has the keys")


def _granted_row(key: GrantedKey) -> tuple[object, ...]:
    expires = f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never"
    rights = key.rights.value
    return key.name, key.fingerprint.hex(), rights, key.kind, key.collection_uuid, expires


def _row(entry: KeyEntry) -> tuple[object, ...]:
    parameters = entry.parameters
    return (
        entry.name,
        entry.fingerprint.hex(),
        parameters.scope,
        f"{parameters.height}x{parameters.width}",
        parameters.block_size,
        parameters.substituted_blocks,
        f"{entry.created_at:%Y-%m-%d}",
    )
