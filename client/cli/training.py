"""`cipherlens train` and `evaluate`: the owner's network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.client.cli.console import print_facts, print_json, progress_bar, remark
from cipherlens.client.cli.failure import INTERRUPTED, USAGE, CommandError
from cipherlens.client.cli.options import Device, Json, KeyName, KeyringPath, PassphraseFile
from cipherlens.client.cli.passphrase import open_key
from cipherlens.crypto import CipherParameters, KeyEntry, Scope

if TYPE_CHECKING:
    from cipherlens.model.data import PreparedImages
    from cipherlens.model.encryption import Encryptor
    from cipherlens.model.profile import CipherProfile
    from cipherlens.model.training_state import EpochReport

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="SPEC",
        help="Labelled pictures: PATH or folder:PATH of class folders, fashion-mnist:PATH of the "
        "IDX files, corel10k:PATH of N.jpg.",
    ),
]
Plain = Annotated[
    bool, typer.Option("--plain", help="On plain pictures: the twin to compare with.")
]


def add_to(root: typer.Typer) -> None:
    """Add these commands to the program."""
    root.command("train")(train)
    root.command("evaluate")(evaluate)


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file of settings.")],
    data: Data,
    keyring: KeyringPath,
    out: Annotated[Path, typer.Option("--out", metavar="CHECKPOINT", help="The file to write.")],
    key: KeyName = None,
    plain: Plain = False,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the settings' seed.")] = None,
    device: Device = "auto",
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Train a network on encrypted pictures.

    The best epoch on held-out pictures is kept; --json prints a line for every epoch. An
    interrupted training goes on at the last epoch's border when the same command is given
    again.

    With a key of scope image every sample is encrypted under fresh random sequences, so that the
    network serves any key of these parameters; the settings then should say positions = "none".

    \b
    Examples:
      cipherlens train demo/train.toml --data photos/ --keyring my.keys --out my.safetensors
      cipherlens train demo/train.toml --data photos/ --keyring my.keys --plain --out twin.st
    """
    entry = open_key(keyring, key, passphrase_file)
    from cipherlens.model.config import TrainConfig

    settings = TrainConfig.from_toml(config)
    if seed is not None:
        settings = replace(settings, seed=seed)
    images = _load(data, entry.parameters)
    encryptor, profile = _training_encryptor(entry, plain=plain)
    from cipherlens.model.train import train as train_network

    with _shown_epochs(settings.epochs, as_json=as_json) as show:
        result = train_network(
            settings, images, encryptor, profile, out, progress=show, device=device
        )
    if as_json:
        print_json(
            {
                "checkpoint": str(result.checkpoint),
                "best_epoch": result.best_epoch,
                "validation_map": result.validation_map,
            }
        )
    else:
        score = "" if result.validation_map is None else f", mAP {result.validation_map:.4f}"
        kept = f"epoch {result.best_epoch} of {len(result.history)}, the best in validation{score}"
        typer.echo(f"{result.checkpoint} holds {kept}")


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="What 'cipherlens train' wrote.")],
    data: Data,
    keyring: KeyringPath,
    key: KeyName = None,
    part: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    device: Device = "auto",
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Tell how well a network ranks.

    Prints mAP, that of chance, and P@k: every held-out picture queries all the others.

    \b
    Example:
      cipherlens evaluate my.safetensors --data photos/ --keyring my.keys
    """
    entry = open_key(keyring, key, passphrase_file)
    from cipherlens.model.checkpoint import read_configuration

    wanted = read_configuration(checkpoint).profile
    images = _load(data, entry.parameters)
    from cipherlens.model.evaluate import evaluate_checkpoint

    encryptor, profile = _encryptor(entry, plain=wanted is None)
    if wanted is not None and profile is not None:
        wanted.require(profile, f"key {entry.name!r}")
    outcome = evaluate_checkpoint(checkpoint, images, encryptor, part=part, device=device)
    if as_json:
        print_json(
            {
                "checkpoint": str(checkpoint),
                "part": part,
                "queries": outcome.queries,
                "map": outcome.mean_average_precision,
                "chance_map": outcome.chance,
                "precision_at": {str(k): value for k, value in outcome.precision_at.items()},
            }
        )
        return
    facts: list[tuple[str, object]] = [
        ("queries", outcome.queries),
        ("mAP", f"{outcome.mean_average_precision:.4f}"),
        ("mAP of chance", f"{outcome.chance:.4f}"),
    ]
    facts += [(f"P@{k}", f"{value:.4f}") for k, value in outcome.precision_at.items()]
    print_facts(facts)


@contextmanager
def _shown_epochs(epochs: int, *, as_json: bool) -> "Iterator[Callable[[EpochReport], None]]":
    """Give what shows each epoch: a bar at a terminal, else a line; Ctrl-C says how to go on."""
    with progress_bar() as bar:
        task = bar.add_task("epochs", total=epochs)

        def show(report: "EpochReport") -> None:
            bar.update(task, completed=report.epoch, description=_epoch_text(report))
            if as_json:
                print_json(_epoch_document(report))
            elif bar.disable:
                remark(f"epoch {report.epoch} of {epochs}: {_epoch_text(report)}")

        try:
            yield show
        except KeyboardInterrupt:
            bar.stop()
            remark("interrupted: give the same command again to go on at the last epoch's border")
            raise typer.Exit(INTERRUPTED) from None


def _load(data: str, parameters: CipherParameters) -> "PreparedImages":
    """Return the prepared pictures that a --data option names; tells of those left out.

    Raises:
        CommandError: it names no folder.
    """
    from cipherlens.model.data_spec import load_data, parse_data_spec

    spec = parse_data_spec(data)
    if not spec.path.is_dir():
        raise CommandError(
            f"--data: {spec.path} is not a folder",
            hint="'cipherlens train --help' says what it takes",
            exit_code=USAGE,
        )
    with progress_bar() as bar:
        task = bar.add_task("pictures", total=None)
        images = load_data(
            spec,
            parameters,
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    for name, reason in images.skipped:
        remark(f"skipped {name}: {reason}")
    return images


def _training_encryptor(
    entry: KeyEntry, *, plain: bool
) -> "tuple[Encryptor, CipherProfile | None]":
    """Return what makes of plain pictures what the network trains on, and what those claim."""
    if plain or entry.parameters.scope is not Scope.IMAGE:
        return _encryptor(entry, plain=plain)
    from cipherlens.model.encryption import AnyKeyEncryptor

    encryptor = AnyKeyEncryptor(entry.parameters)
    return encryptor, encryptor.profile


def _encryptor(entry: KeyEntry, *, plain: bool) -> "tuple[Encryptor, CipherProfile | None]":
    """Return what makes of plain pictures what the network sees, and what those claim."""
    from cipherlens.model import encryption

    if plain:
        return encryption.plain, None
    encryptor = encryption.KeyEncryptor(entry)
    return encryptor, encryptor.profile


def _epoch_text(report: "EpochReport") -> str:
    """Return an epoch in a few words."""
    text = f"loss {report.loss:.4f}"
    if report.validation_map is not None:
        text += f", validation mAP {report.validation_map:.4f}"
    return text


def _epoch_document(report: "EpochReport") -> dict[str, object]:
    """Return an epoch as JSON."""
    return {
        "epoch": report.epoch,
        "loss": report.loss,
        "validation_map": report.validation_map,
    }
