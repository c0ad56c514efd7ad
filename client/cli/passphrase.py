"""Passphrases and keys, from wherever the user keeps them."""

import os
import stat
import sys
from pathlib import Path

import typer

from cipherlens.base import others_reach
from cipherlens.client import Collection
from cipherlens.client.cli.failure import (
    ADVICE,
    FAILURE,
    NOT_FOUND,
    NOT_GENUINE,
    USAGE,
    CommandError,
)
from cipherlens.client.key_in_use import check_key
from cipherlens.client.masking import stated_key
from cipherlens.crypto import (
    Key,
    KeyEntry,
    Keyring,
    KeyringNotProtected,
    KeyringOutdated,
    KeyringPassphraseError,
    KeyringPermissionError,
    NotGenuine,
    NotGranted,
    UnknownKey,
    WrongKey,
)

VARIABLE = "CIPHERLENS_PASSPHRASE"
NEW_VARIABLE = "CIPHERLENS_NEW_PASSPHRASE"

ADVICE |= {
    UnknownKey: (NOT_FOUND, "'cipherlens keys show KEYRING' lists the keys, --key NAME takes one"),
    WrongKey: (FAILURE, "'cipherlens keys show KEYRING' lists its keys; name another with --key"),
    KeyringPassphraseError: (
        FAILURE,
        f"give it at the prompt, with --passphrase-file or in {VARIABLE}",
    ),
    KeyringNotProtected: (FAILURE, "leave --passphrase-file out"),
    KeyringOutdated: (FAILURE, "'cipherlens keys upgrade KEYRING' does that"),
    NotGenuine: (NOT_GENUINE, "it was altered, exchanged or is old; or the key is another"),
    KeyringPermissionError: (FAILURE, "only its owner may read a keyring: chmod 600 KEYRING"),
}


def key_of(where: Collection, ring: Keyring, name: str | None) -> Key:
    """Return the key of a name, or what the keyring holds of the key that a collection is of.

    Raises:
        UnknownKey: none has that name, or none was named and the collection does not say.
        WrongKey: the collection is of another key.
        NotGranted, GrantError: what was granted of it is for other collections, or has expired.
    """
    stated = stated_key(where)
    try:
        key = ring.key_for(where.uuid, stated, name)
    except UnknownKey as error:
        if name is None and stated:
            raise WrongKey(f"collection {where.name!r}: {error}") from error
        raise
    check_key(where, key)
    return key


def owner_key_of(where: Collection, ring: Keyring, name: str | None) -> KeyEntry:
    """Return the owner's key of a collection, as `key_of` chooses it.

    Raises:
        NotGranted: it is a granted one.
        What `key_of` raises.
    """
    key = key_of(where, ring, name)
    if not isinstance(key, KeyEntry):
        raise NotGranted(f"key {key.name!r} was granted: this is for the owner of {where.name!r}")
    return key


def open_keyring(path: Path, passphrase_file: Path | None) -> Keyring:
    """Return a keyring, asking for its passphrase if it needs one that was not given."""
    return Keyring.load(path, keyring_passphrase(path, passphrase_file))


def open_key(path: Path, name: str | None, passphrase_file: Path | None) -> KeyEntry:
    """Return the key of a name or fingerprint, or the only one of a keyring."""
    return open_keyring(path, passphrase_file).get(name)


def keyring_passphrase(path: Path, passphrase_file: Path | None) -> str | None:
    """Return the passphrase of a keyring file; None for one that has none.

    A file that was named explicitly is always used: `Keyring.load` refuses a passphrase for a
    keyring without one. The variable may be set for other keyrings, so there it does not count.
    """
    if passphrase_file is None and not Keyring.is_protected(path):
        return None
    return _passphrase(passphrase_file, f"Passphrase of {path}", VARIABLE, twice=False)


def new_passphrase(passphrase_file: Path | None, variable: str = VARIABLE) -> str:
    """Return the passphrase for a keyring file that is about to be written."""
    return _passphrase(passphrase_file, "New passphrase", variable, twice=True)


def _passphrase(passphrase_file: Path | None, prompt: str, variable: str, *, twice: bool) -> str:
    """Return the passphrase from a file, the environment or the terminal.

    Raises:
        CommandError: there is no terminal, or nothing was typed.
    """
    if passphrase_file is not None:
        return _first_line(passphrase_file)
    if (given := os.environ.get(variable)) is not None:
        return given
    if not sys.stdin.isatty():
        raise CommandError(
            "a passphrase is needed and there is no terminal to ask at",
            hint=f"name a file that holds it, or set {variable}",
            exit_code=USAGE,
        )
    # With a default, an empty line is an answer: it would else be asked for again without a word.
    answer: str = typer.prompt(
        prompt, default="", show_default=False, hide_input=True, confirmation_prompt=twice, err=True
    )
    if not answer:
        raise CommandError("the passphrase is empty", exit_code=USAGE)
    return answer


def _first_line(path: Path) -> str:
    """Return the first line of a passphrase file, which may be a pipe.

    Raises:
        CommandError: it is empty, or others may read it.
    """
    with path.open(encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and others_reach(status):
            mode = stat.S_IMODE(status.st_mode)
            raise CommandError(
                f"{path} has mode {mode:04o}: others may read the passphrase in it",
                hint=f"chmod 600 {path}",
            )
        lines = file.read().splitlines()
    if not lines or not lines[0]:
        raise CommandError(f"{path}: the first line is empty, it must be the passphrase")
    return lines[0]
