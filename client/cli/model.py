"""`cipherlens model`: push, list and delete models of the server; seal hash networks."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.base import replace_file
from cipherlens.client import Collection, Model
from cipherlens.client.cli import options
from cipherlens.client.cli.connection import LOCAL, Connection, connected
from cipherlens.client.cli.console import print_json, print_outcome, print_table, progress_bar
from cipherlens.client.cli.documents import model_document
from cipherlens.client.cli.failure import NOT_FOUND, USAGE, CommandError, about
from cipherlens.client.cli.group import group
from cipherlens.client.cli.hash_network import describe_network
from cipherlens.client.cli.passphrase import open_key
from cipherlens.crypto import Keyring, is_sealed_network, seal_network

app = group("Push, list and delete models of the server; seal hash networks.")


@app.command()
@connected
def push(
    checkpoint: Annotated[Path, typer.Argument(help="What 'cipherlens train' wrote.")],
    collection: Annotated[
        str, typer.Option("--collection", metavar="NAME", help="The collection that it will serve.")
    ] = "",
    name: Annotated[str, typer.Option(help="A name for people; the file's if left out.")] = "",
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Upload a model and set it to work in a cipher collection.

    Where items are already, they are embedded again aside while the old model serves; 'collection
    show' tells how far that is. A hash network is never pushed: see 'model seal'.

    \b
    Example:
      cipherlens model push my.safetensors --collection photos
    """
    _check(checkpoint)
    with server.client() as client, progress_bar() as bar:
        task = bar.add_task("bytes", total=None)
        model = client.push_model(
            checkpoint,
            collection=collection,
            name=name,
            on_progress=lambda sent, total: bar.update(task, completed=sent, total=total),
        )
    purpose = f" for collection {collection!r}" if collection else ""
    told = f"model {model.name!r} ({model.digest.hex()[:16]}) is on the server{purpose}"
    document = {"collection": collection or None, "model": model_document(model)}
    print_outcome(document, told, as_json=as_json)


@app.command()
def seal(
    checkpoint: Annotated[
        Path, typer.Argument(help="A hash network that 'cipherlens train' wrote.", dir_okay=False)
    ],
    keyring: options.KeyringPath,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")],
    key: options.KeyName = None,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Seal a hash network, so that it can travel to the users who hold the key.

    Whoever can run it can match any picture to the codes that a server stores. Every --model
    takes the sealed file and opens it in memory with the keyring; delete the plain checkpoint
    where it is not needed.

    \b
    Example:
      cipherlens model seal hash.safetensors --keyring my.keys --out hash.sealed
    """
    data = checkpoint.read_bytes()
    if is_sealed_network(data):
        raise CommandError(f"{checkpoint} is sealed already", exit_code=USAGE)
    bits, _ = describe_network(checkpoint, Keyring())
    entry = open_key(keyring, key, passphrase_file)
    replace_file(out, seal_network(data, entry))
    document = {"sealed": str(out), "bits": bits, "key_fingerprint": entry.fingerprint.hex()}
    told = f"{out} holds the network of {bits} bits, sealed under key {entry.name!r}"
    print_outcome(document, told, as_json=as_json)


@app.command("list")
@connected
def list_(server: Connection = LOCAL, as_json: options.Json = False) -> None:
    """List the models that the server holds, newest first.

    \b
    Example:
      cipherlens model list
    """
    with server.client() as client:
        models = client.list_models()
    if as_json:
        print_json({"models": [model_document(model) for model in models]})
        return
    print_table(("NAME", "DIGEST", "BACKBONE", "DIMENSION#", "KEY", "BYTES#"), map(_row, models))


@app.command()
@connected
def delete(
    digest: Annotated[str, typer.Argument(help="The model's digest, or how it begins.")],
    yes: options.Yes = False,
    dry_run: options.DryRun = False,
    server: Connection = LOCAL,
    as_json: options.Json = False,
) -> None:
    """Delete a model from the server; refused while a collection is served by it.

    \b
    Example:
      cipherlens model delete 3f2a9c01 --yes
    """
    with server.client() as client:
        model = _found(client.list_models(), digest)
        question = f"delete model {model.name!r} ({model.digest.hex()[:16]})?"
        options.confirm(question, yes=yes or dry_run)
        if dry_run:
            _check_unused(model, client.list_collections())
        else:
            client.delete_model(model.digest)
    told = f"model {model.name!r} {'would be' if dry_run else 'is'} deleted"
    document = {"deleted": model_document(model), "dry_run": dry_run}
    print_outcome(document, told, as_json=as_json)


def _check_unused(model: Model, collections: list[Collection]) -> None:
    """Raise CommandError if the server would keep a model, as a collection has it."""
    for each in collections:
        used = {found.model_digest for found in (each.active, each.shadow) if found}
        if model.digest in used:
            raise CommandError(f"collection {each.name!r} has the model: it would be refused")


def _found(models: list[Model], digest: str) -> Model:
    """Return the one model whose digest begins so."""
    found = [each for each in models if each.digest.hex().startswith(digest.lower())]
    if not digest or not found:
        raise CommandError(f"no model has a digest that begins {digest!r}", exit_code=NOT_FOUND)
    if len(found) > 1:
        raise CommandError(
            f"the digests of {len(found)} models begin {digest!r}: give more of it",
            exit_code=USAGE,
        )
    return found[0]


def _row(model: Model) -> tuple[object, ...]:
    fingerprint = model.profile.key_fingerprint.hex() if model.profile else "none"
    return (
        model.name,
        model.digest.hex()[:16],
        model.backbone,
        model.dimension,
        fingerprint or "any",
        model.size_bytes,
    )


def _check(checkpoint: Path) -> None:
    """Raise CommandError unless the server takes the file; it is told before anything is sent."""
    from cipherlens.model.checkpoint import read_configuration

    with about(checkpoint):
        configuration = read_configuration(checkpoint)
    if configuration.architecture == "hash":
        raise CommandError(
            f"{checkpoint} is a hash network, which no server is given: whoever can run it can "
            "match any picture to stored codes",
            hint="'cipherlens model seal' prepares it for the users",
            exit_code=USAGE,
        )
