"""Passphrases and keys, from wherever the user keeps them."""

import os
import sys
from pathlib import Path

import typer

from cipherlens.client.cli.failure import ADVICE, FAILURE, NOT_FOUND, USAGE, CommandError
from cipherlens.crypto import (
    KeyEntry,
    Keyring,
    KeyringNotProtected,
    KeyringOutdated,
    KeyringPassphraseError,
    KeyringPermissionError,
    UnknownKey,
)

VARIABLE = "CIPHERLENS_PASSPHRASE"

ADVICE |= {
    UnknownKey: (NOT_FOUND, "'cipherlens keys show KEYRING' lists the keys, --key NAME takes one"),
    KeyringPassphraseError: (
        FAILURE,
        f"give it at the prompt, with --passphrase-file or in {VARIABLE}",
    ),
    KeyringNotProtected: (FAILURE, "leave --passphrase-file out"),
    KeyringOutdated: (FAILURE, "'cipherlens keys upgrade KEYRING' does that"),
    KeyringPermissionError: (FAILURE, "only its owner may read a keyring: chmod 600 KEYRING"),
}


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
    return _passphrase(passphrase_file, f"Passphrase of {path}", twice=False)


def new_passphrase(passphrase_file: Path | None) -> str:
    """Return the passphrase for a keyring that is about to be made."""
    return _passphrase(passphrase_file, "New passphrase", twice=True)


def _passphrase(passphrase_file: Path | None, prompt: str, *, twice: bool) -> str:
    """Return the passphrase from a file, the environment or the terminal.

    Raises:
        CommandError: there is no terminal, or nothing was typed.
    """
    if passphrase_file is not None:
        return _first_line(passphrase_file)
    if (given := os.environ.get(VARIABLE)) is not None:
        return given
    if not sys.stdin.isatty():
        raise CommandError(
            "a passphrase is needed and there is no terminal to ask at",
            hint=f"use --passphrase-file FILE or set {VARIABLE}",
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
    """Return the first line of a passphrase file.

    Raises:
        CommandError: it is empty.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise CommandError(f"{path}: the first line is empty, it must be the passphrase")
    return lines[0]
