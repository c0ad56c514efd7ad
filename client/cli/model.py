"""`cipherlens model`: push models to the server and list them."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.client import Client, Model
from cipherlens.client.channel import DEFAULT_TARGET
from cipherlens.client.cli.console import print_json, print_table, progress_bar
from cipherlens.client.cli.documents import model_document
from cipherlens.client.cli.failure import CommandError
from cipherlens.client.cli.options import Json, Server

app = typer.Typer(
    help="Push models to the server and list them.", no_args_is_help=True, rich_markup_mode=None
)


def add_to(root: typer.Typer) -> None:
    """Add this group to the program."""
    root.add_typer(app, name="model")


@app.command()
def push(
    checkpoint: Annotated[Path, typer.Argument(help="What 'cipherlens train' wrote.")],
    collection: Annotated[
        str, typer.Option("--collection", metavar="NAME", help="The collection that it will serve.")
    ] = "",
    name: Annotated[str, typer.Option(help="A name for people; the file's if left out.")] = "",
    server: Server = DEFAULT_TARGET,
    as_json: Json = False,
) -> None:
    """Upload a model and set it to work in a cipher collection.

    Where items are already, they are embedded again aside while the old model serves; 'collection
    show' tells how far that is.

    \b
    Example:
      cipherlens model push my.safetensors --collection photos
    """
    _check(checkpoint)
    with Client(server) as client, progress_bar() as bar:
        task = bar.add_task("bytes", total=None)
        model = client.push_model(
            checkpoint,
            collection=collection,
            name=name,
            on_progress=lambda sent, total: bar.update(task, completed=sent, total=total),
        )
    if as_json:
        print_json({"collection": collection or None, "model": model_document(model)})
        return
    purpose = f" for collection {collection!r}" if collection else ""
    typer.echo(f"model {model.name!r} ({model.digest.hex()[:16]}) is on the server{purpose}")


@app.command("list")
def list_(server: Server = DEFAULT_TARGET, as_json: Json = False) -> None:
    """List the models that the server holds, newest first.

    \b
    Example:
      cipherlens model list
    """
    with Client(server) as client:
        models = client.list_models()
    if as_json:
        print_json({"models": [model_document(model) for model in models]})
        return
    print_table(("NAME", "DIGEST", "BACKBONE", "DIMENSION#", "KEY", "BYTES#"), map(_row, models))


def _row(model: Model) -> tuple[object, ...]:
    """Return a model as a row of the table."""
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
    """Raise CommandError unless the file is a checkpoint; it is told before anything is sent."""
    from cipherlens.model.checkpoint import read_configuration
    from cipherlens.model.errors import CheckpointError

    try:
        read_configuration(checkpoint)
    except CheckpointError as error:
        raise CommandError(f"{checkpoint}: {error}") from error
