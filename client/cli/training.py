"""`cipherlens train`: the owner's network."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_json, print_outcome, progress_bar, remark
from cipherlens.client.cli.data import Data, encryptor_of, load_images
from cipherlens.client.cli.failure import INTERRUPTED, USAGE, CommandError
from cipherlens.client.cli.passphrase import open_key
from cipherlens.crypto import KeyEntry, PreparedSize, Scope

if TYPE_CHECKING:
    from cipherlens.base import CipherProfile
    from cipherlens.model.config import HashTrainConfig, TrainConfig
    from cipherlens.model.data.encryption import Encryptor
    from cipherlens.model.training.state import EpochReport

Plain = Annotated[
    bool, typer.Option("--plain", help="On plain pictures: the twin to compare with.")
]


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file of settings.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="CHECKPOINT", help="The file to write.")],
    keyring: options.MaybeKeyringPath = None,
    key: options.KeyName = None,
    plain: Plain = False,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the settings' seed.")] = None,
    device: options.Device = "auto",
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Train a network: one for encrypted pictures, or a hash network.

    Settings with a table [network] are of the cipher pipeline: the network learns from pictures
    encrypted under the key. With a key of scope image every sample is encrypted under fresh
    random sequences, so that the network serves any key of these parameters; the settings then
    should say positions = "none", and embedding = "convolution" or "residual" helps.

    Settings with a table [hash] are of the hash pipeline: the network learns binary codes from
    plain pictures and needs no key. Seal it with 'model seal' before it travels: whoever can run
    it can match any picture to stored codes.

    The best epoch on held-out pictures is kept; --json prints a line for every epoch, and
    CHECKPOINT.log.jsonl keeps one: losses, learning rate, validation mAP, seconds, images per
    second. A training is saved after every epoch and every ten minutes: when it was interrupted,
    the same command goes on from there.

    torchrun trains on several GPUs or machines, as in the last example; --device then stays auto.
    The batch is parted over the processes, and the losses are those of one.

    \b
    Examples:
      cipherlens train demo/any-key.toml --data photos/ --keyring my.keys --out my.safetensors
      cipherlens train demo/any-key.toml --data photos/ --keyring my.keys --plain --out twin.st
      cipherlens train hash.toml --data photos/ --out hash.safetensors
      torchrun --nproc-per-node 4 -m cipherlens.client.cli train hash.toml --data photos/ --out h.st
    """
    from cipherlens.model.config import read_config

    settings = read_config(config)
    if seed is not None:
        settings = replace(settings, seed=seed)
    entry = _training_key(settings, keyring, key, passphrase_file, plain=plain)
    size: PreparedSize = settings.network if entry is None else entry.parameters
    from cipherlens.model.training.distributed import launched

    processes = launched()
    with _silent(unless=processes.first):
        images = load_images(data, size)
    encryptor, profile = _training_encryptor(entry, plain=plain)
    if processes.first:
        _remark_positions(settings, profile)
    from cipherlens.model.training.train import train as train_network

    with _silent(unless=processes.first), _shown_epochs(settings.epochs, as_json=as_json) as show:
        result = train_network(
            settings,
            images,
            encryptor,
            profile,
            out,
            progress=show,
            device=device,
            processes=processes,
        )
    if not processes.first:
        return
    document = {
        "checkpoint": str(result.checkpoint),
        "best_epoch": result.best_epoch,
        "validation_map": result.validation_map,
    }
    score = "" if result.validation_map is None else f", mAP {result.validation_map:.4f}"
    kept = f"epoch {result.best_epoch} of {len(result.history)}, the best in validation{score}"
    print_outcome(document, f"{result.checkpoint} holds {kept}", as_json=as_json)


@contextmanager
def _silent(*, unless: bool) -> Iterator[None]:
    """Keep what people read to the first of several processes; errors show all the same."""
    with ExitStack() as stack:
        if not unless:
            nowhere = stack.enter_context(Path(os.devnull).open("w"))
            stack.enter_context(redirect_stderr(nowhere))
        yield


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
            remark("interrupted: give the same command again to go on from where it was saved last")
            raise typer.Exit(INTERRUPTED) from None


def _training_key(
    settings: "TrainConfig | HashTrainConfig",
    keyring: Path | None,
    key: str | None,
    passphrase_file: Path | None,
    *,
    plain: bool,
) -> KeyEntry | None:
    """Return the key whose pictures are learnt from; None for a network of plain ones.

    A plain twin takes the size of its pictures from the key; without one it is the paper's.

    Raises:
        CommandError: the settings are of the cipher pipeline and there is no key.
    """
    from cipherlens.model.config import HashTrainConfig

    if isinstance(settings, HashTrainConfig):
        return None
    if keyring is not None:
        return open_key(keyring, key, passphrase_file)
    if plain:
        return None
    raise CommandError(
        "a network for encrypted pictures needs --keyring",
        hint="--plain trains its plain twin; settings with a table [hash] need no key",
        exit_code=USAGE,
    )


def _training_encryptor(
    entry: KeyEntry | None, *, plain: bool
) -> "tuple[Encryptor, CipherProfile | None]":
    """Return what makes of plain pictures what the network trains on, and what those claim."""
    if entry is None or plain or entry.parameters.scope is not Scope.IMAGE:
        return encryptor_of(entry, plain=plain)
    from cipherlens.model.data.encryption import AnyKeyEncryptor

    encryptor = AnyKeyEncryptor(entry.parameters)
    return encryptor, encryptor.profile


def _remark_positions(
    settings: "TrainConfig | HashTrainConfig", profile: "CipherProfile | None"
) -> None:
    """Say so if a network is told the places of blocks that every image has in another order."""
    network = settings.to_dict()["network"]
    in_any_order = profile is not None and profile.scope == Scope.IMAGE
    if in_any_order and network["backbone"] == "vit" and network["positions"] != "none":
        remark(
            "the key's scope is image, so every picture has its blocks in another order: "
            'positions = "none" in the settings will serve better'
        )


def _epoch_text(report: "EpochReport") -> str:
    text = f"loss {report.loss:.4f}"
    if report.validation_map is not None:
        text += f", validation mAP {report.validation_map:.4f}"
    return text


def _epoch_document(report: "EpochReport") -> dict[str, object]:
    return {"epoch": report.epoch, "loss": report.loss, "validation_map": report.validation_map}
