"""`cipherlens keys identity`: the key pairs that grants are given to."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_json, print_outcome, print_table
from cipherlens.client.cli.group import group
from cipherlens.client.cli.keyring_changes import KeyringArgument, NoPassphrase
from cipherlens.client.cli.passphrase import keyring_passphrase, new_passphrase, open_keyring
from cipherlens.crypto import Identity, Keyring, recipient_text

app = group("Make and show the key pairs that grants are given to.")


@app.command()
def new(
    keyring: KeyringArgument,
    name: Annotated[str, typer.Option("--name", help="What you call it.")] = "me",
    no_passphrase: NoPassphrase = False,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Make a key pair, in a new keyring or in one that is there, and print its public half.

    Send that to the owner of a collection: he makes a grant for it, which you add with 'keys
    import'.

    \b
    Example:
      cipherlens keys identity new my.keys
    """
    identity = Identity.generate(name)
    if keyring.exists():
        passphrase = keyring_passphrase(keyring, passphrase_file)
        Keyring.update(keyring, passphrase, lambda ring: ring.received.add_identity(identity))
    else:
        _save_new(keyring, identity, None if no_passphrase else new_passphrase(passphrase_file))
    print_outcome(_document(identity), recipient_text(identity.recipient), as_json=as_json)


@app.command()
def show(
    keyring: KeyringArgument,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Show the public halves of the key pairs in a keyring.

    \b
    Example:
      cipherlens keys identity show my.keys
    """
    found = open_keyring(keyring, passphrase_file).received.identities
    if as_json:
        print_json({"identities": [_document(each) for each in found]})
        return
    rows = [(each.name, recipient_text(each.recipient)) for each in found]
    print_table(("NAME", "RECIPIENT"), rows)


def _save_new(keyring: Path, identity: Identity, passphrase: str | None) -> None:
    ring = Keyring()
    ring.received.add_identity(identity)
    ring.save(keyring, passphrase, unprotected=passphrase is None)


def _document(identity: Identity) -> dict[str, str]:
    return {"name": identity.name, "recipient": recipient_text(identity.recipient)}
