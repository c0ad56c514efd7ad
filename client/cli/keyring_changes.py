"""`cipherlens keys passphrase|export|import|rename|remove`: changes of a keyring that is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_outcome, remark
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.cli.passphrase import (
    NEW_VARIABLE,
    keyring_passphrase,
    new_passphrase,
    open_keyring,
)
from cipherlens.crypto import Grant, KeyEntry, Keyring
from cipherlens.crypto.grant import MAGIC as GRANT_MAGIC

KeyringArgument = Annotated[
    Path, typer.Argument(metavar="KEYRING", help="The keyring file.", dir_okay=False)
]
KeyArgument = Annotated[
    str, typer.Argument(metavar="KEY", help="The key's name or fingerprint in hexadecimal.")
]
NewPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--new-passphrase-file",
        metavar="FILE",
        help=f"A file whose first line is the new passphrase; else {NEW_VARIABLE}, else a prompt.",
        dir_okay=False,
    ),
]
NoPassphrase = Annotated[
    bool, typer.Option("--no-passphrase", help="Leave what is written unprotected.")
]


def passphrase(
    keyring: KeyringArgument,
    no_passphrase: NoPassphrase = False,
    new_passphrase_file: NewPassphraseFile = None,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Change the passphrase of a keyring.

    Copies that were made before keep the old one: whoever has a copy and the old passphrase has the
    keys.

    \b
    Examples:
      cipherlens keys passphrase my.keys
      cipherlens keys passphrase my.keys --new-passphrase-file new.txt
    """
    ring = open_keyring(keyring, passphrase_file)
    _save(ring, keyring, _new_passphrase(new_passphrase_file, no_passphrase))
    document = {"keyring": str(keyring), "protected": not no_passphrase}
    print_outcome(document, f"{keyring} has a new passphrase", as_json=as_json)
    _warn_unprotected(keyring, no_passphrase)


def export(
    keyring: KeyringArgument,
    key: KeyArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The new keyring file.")],
    no_passphrase: NoPassphrase = False,
    new_passphrase_file: NewPassphraseFile = None,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Copy one key with all its secrets into a keyring of its own.

    This is for the owner's other machine, or a safe: whoever gets it may do all that the owner may.
    A user who shall search or open gets a grant.

    \b
    Example:
      cipherlens keys export my.keys main --out main.keys
    """
    if out.exists():
        raise CommandError(f"{out} is there already", exit_code=USAGE)
    entry = open_keyring(keyring, passphrase_file).get(key)
    _save(Keyring([entry]), out, _new_passphrase(new_passphrase_file, no_passphrase))
    document = {"keyring": str(out), "name": entry.name, "fingerprint": entry.fingerprint.hex()}
    print_outcome(document, f"key {entry.name!r} is in {out}", as_json=as_json)
    _warn_unprotected(out, no_passphrase)


def import_(
    keyring: KeyringArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A grant, or the keyring to take the keys of.")
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What you call a grant's key; its grant id if left out."),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(metavar="VERIFY_KEY", help="The public key that must have signed a grant."),
    ] = None,
    file_passphrase_file: Annotated[
        Path | None,
        typer.Option(
            "--file-passphrase-file",
            metavar="FILE",
            help="A file whose first line is the passphrase of FILE; else as for KEYRING.",
            dir_okay=False,
        ),
    ] = None,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Add a grant to a keyring, or the keys of another keyring: all, or none if a name is taken.

    A grant is signed, but who signed it only its owner can tell you: compare the public key that is
    printed with the one that 'keys show --json' prints for him, or give that with --owner.

    \b
    Examples:
      cipherlens keys import my.keys anna.grant --name annas-photos
      cipherlens keys import my.keys main.keys
    """
    if _is_grant(file):
        grant = Grant.read(file.read_bytes())
        _check_owner(grant, owner)
        _receive(grant, name or str(grant.grant_id), keyring, passphrase_file, as_json=as_json)
        return
    if name is not None or owner is not None:
        raise CommandError("--name and --owner are for grants", exit_code=USAGE)
    entries = open_keyring(file, file_passphrase_file).entries
    _change(keyring, passphrase_file, lambda ring: _add_all(ring, entries))
    names = [entry.name for entry in entries]
    told = f"{', '.join(map(repr, names)) or 'no key'} of {file} is in {keyring}"
    print_outcome({"keyring": str(keyring), "imported": names}, told, as_json=as_json)


def rename(
    keyring: KeyringArgument,
    key: KeyArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")],
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Give a key another name. Servers know it by its fingerprint, which stays.

    \b
    Example:
      cipherlens keys rename my.keys main holidays
    """
    _change(keyring, passphrase_file, lambda ring: ring.rename(key, name))
    document = {"keyring": str(keyring), "old": key, "name": name}
    print_outcome(document, f"key {key!r} is now {name!r}", as_json=as_json)


def remove(
    keyring: KeyringArgument,
    key: KeyArgument,
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Remove a key, or a grant, from a keyring.

    What is encrypted under a key of yours can then be read by nobody; a grant its owner can renew.

    \b
    Example:
      cipherlens keys remove my.keys old --yes
    """
    ring = open_keyring(keyring, passphrase_file)
    would = "would be" if dry_run else "is"
    if any(each.name == key for each in ring.received.granted()):
        if not dry_run:
            _change(keyring, passphrase_file, lambda ring: ring.received.remove(key))
        document = {"keyring": str(keyring), "removed": key, "dry_run": dry_run}
        print_outcome(document, f"grant {key!r} {would} gone from {keyring}", as_json=as_json)
        return
    entry = ring.get(key)
    fingerprint = entry.fingerprint.hex()
    options.confirm(f"remove key {entry.name!r} ({fingerprint}) for ever?", yes=yes or dry_run)
    if not dry_run:
        _change(keyring, passphrase_file, lambda ring: ring.remove(fingerprint))
    document = {
        "keyring": str(keyring),
        "removed": entry.name,
        "fingerprint": fingerprint,
        "dry_run": dry_run,
    }
    print_outcome(document, f"key {entry.name!r} {would} gone from {keyring}", as_json=as_json)


def _is_grant(path: Path) -> bool:
    """Return whether a file begins as a grant does."""
    with path.open("rb") as file:
        return file.read(len(GRANT_MAGIC)) == GRANT_MAGIC


def _check_owner(grant: Grant, owner: str | None) -> None:
    """Raise CommandError unless a grant is signed by whom the user expects, if he says."""
    if owner is not None and owner.lower() != grant.verify_key.hex():
        raise CommandError(f"the grant is signed by {grant.verify_key.hex()}, not by {owner}")


def _receive(
    grant: Grant, name: str, keyring: Path, passphrase_file: Path | None, *, as_json: bool
) -> None:
    _change(keyring, passphrase_file, lambda ring: ring.receive(grant, name))
    document = {
        "keyring": str(keyring),
        "name": name,
        "verify_key": grant.verify_key.hex(),
        "rights": grant.rights.value,
        "collection_uuid": str(grant.collection_uuid),
    }
    told = (
        f"{name!r} lets you {grant.rights.value} collection {grant.collection_uuid}\n"
        f"signed by {grant.verify_key.hex()}"
    )
    print_outcome(document, told, as_json=as_json)


def _change(
    keyring: Path, passphrase_file: Path | None, change: Callable[[Keyring], object]
) -> None:
    """Change a keyring, under the passphrase that it has."""
    Keyring.update(keyring, keyring_passphrase(keyring, passphrase_file), change)


def _add_all(ring: Keyring, entries: tuple[KeyEntry, ...]) -> None:
    for entry in entries:
        ring.add(entry)


def _new_passphrase(file: Path | None, no_passphrase: bool) -> str | None:
    """Return the passphrase of what is to be written; None for none.

    Raises:
        CommandError: both or neither can be had.
    """
    if no_passphrase and file is not None:
        raise CommandError(
            "--no-passphrase and --new-passphrase-file contradict each other", exit_code=USAGE
        )
    return None if no_passphrase else new_passphrase(file, NEW_VARIABLE)


def _save(ring: Keyring, path: Path, passphrase: str | None) -> None:
    ring.save(path, passphrase, unprotected=passphrase is None)


def _warn_unprotected(path: Path, unprotected: bool) -> None:
    if unprotected:
        remark(f"warning: {path} has no passphrase: whoever can read the file has the keys")
