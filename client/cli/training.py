"""`cipherlens train`: the owner's network."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_json, print_outcome, progress_bar, remark
from cipherlens.client.cli.data import Cache, Data, encryptor_of, load_images
from cipherlens.client.cli.failure import INTERRUPTED, USAGE, CommandError
from cipherlens.client.cli.passphrase import open_key
from cipherlens.crypto import KeyEntry, PreparedSize, Scope

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from cipherlens.base import CipherProfile
    from cipherlens.model.config import AnyTrainConfig
    from cipherlens.model.data.encryption import Encryptor
    from cipherlens.model.training.state import EpochReport
    from cipherlens.model.training.train import TrainResult

Plain = Annotated[
    bool, typer.Option("--plain", help="On plain pictures: the twin to compare with.")
]

Distil = Annotated[
    bool, typer.Option("--distil", help="Learn from a teacher of plain pictures, without labels.")
]

Workers = Annotated[
    int,
    typer.Option("--workers", metavar="N", min=0, help="Processes that change and encrypt ahead."),
]

Seed = Annotated[int | None, typer.Option(min=0, help="In place of the settings' seed.")]

_LOOKS = (3, 10)
"""Epochs after which a training is looked at."""

_LEAST_FALL = 0.02
"""The share by which the loss must have fallen since the first epoch."""


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file of settings.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="CHECKPOINT", help="The file to write.")],
    keyring: options.SaidKeyringPath = None,
    key: options.KeyName = None,
    plain: Plain = False,
    distil: Distil = False,
    seed: Seed = None,
    device: options.Device = "auto",
    threads: options.Threads = None,
    workers: Workers = 0,
    cache: Cache = None,
    passphrase_file: options.PassphraseFile = None,
    as_json: options.Json = False,
) -> None:
    """Train a network: one for encrypted pictures, or a hash network.

    Settings with a table [network] are of the cipher pipeline: the network learns from pictures
    encrypted under the key. With a key of scope image every sample is encrypted under fresh
    random sequences, so that the network serves any key of these parameters; the settings then
    should say positions = "none", and embedding = "convolution" or "residual" helps.

    With --distil and settings with a table [blocks] no labels are needed: the folder of --data has
    pictures at any depth, a teacher of plain pictures looks at them here, once, and the network
    learns to put cipher-images of any key where the teacher puts the pictures. Its score in
    validation is the mAP of rankings in which the teacher's ten nearest pictures count as found.

    With a table [blocks] and no teacher (demo/labels.toml) folders are labels again: the stages of
    that network stay as they are and look at every picture a few times, which takes most of the
    time, and the head learns which pictures belong together. It serves any key.

    Settings with a table [hash] are of the hash pipeline: the network learns binary codes from
    plain pictures and needs no key. Seal it with 'model seal' before it travels: whoever can run
    it can match any picture to stored codes.

    The best epoch on held-out pictures is kept; --json prints a line for every epoch, and
    CHECKPOINT.log.jsonl keeps one: losses, learning rate, validation mAP, seconds, images per
    second. A training is saved after every epoch and every ten minutes: when it was interrupted,
    the same command goes on from there.

    The table [training] chooses the loss: pairs = "triplets" (the paper's), "contrastive" or
    "none", with classifier = "linear" or "cosine", which ranks as searches do and takes an
    angular_margin; label_smoothing; ema = 0.999 keeps an average of the weights. What uses a
    machine better changes no result: --workers lets other processes change and encrypt the pictures
    while a GPU computes; --cache decodes pictures once, keeps them plain, readable for you alone,
    and lets processes share them in memory; pieces = 4 takes a batch through the network a quarter
    at a time, where its memory is too small; compiled = true asks torch.compile for faster steps,
    to float tolerance the same.

    torchrun trains on several GPUs or machines, as in the last example; --device then stays auto.
    The batch is parted over the processes, and the losses are those of one. Each process has
    --workers of its own.

    \b
    Examples:
      cipherlens train demo/any-key.toml --data photos/ --keyring my.keys --out my.safetensors
      cipherlens train demo/any-key.toml --data photos/ --keyring my.keys --plain --out twin.st
      cipherlens train hash.toml --data photos/ --out hash.safetensors
      cipherlens train demo/distil.toml --distil --data photos/ --keyring my.keys --out my.st
      cipherlens train demo/labels.toml --data photos/ --keyring my.keys --out my.safetensors
      torchrun --nproc-per-node 4 -m cipherlens.client.cli train hash.toml --data photos/ --out h.st
    """
    settings = _settings(config, seed, distil=distil, plain=plain)
    if distil and ":" not in data:
        data = f"pictures:{data}"
    entry = _training_key(settings, keyring, key, passphrase_file, plain=plain)
    size: PreparedSize = settings.network if entry is None else entry.parameters
    from cipherlens.model.training.distributed import launched

    processes = launched()
    with _silent(unless=processes.first):
        images = load_images(data, size, cache)
    encryptor, profile = _training_encryptor(entry, plain=plain)
    if processes.first:
        _remark_positions(settings, profile)
    from cipherlens.model.precision import use_threads
    from cipherlens.model.training.train import train as train_network

    use_threads(threads)

    # A distillation begins with a network that is of use, and keeps it unless an epoch is better.
    shown = _shown_epochs(settings.epochs, as_json=as_json, looks=not distil)
    with _silent(unless=processes.first), shown as show:
        result = train_network(
            settings,
            images,
            encryptor,
            profile,
            out,
            progress=show.epoch,
            taught=show.taught,
            resumed=show.resumed,
            device=device,
            processes=processes,
            workers=0 if distil else workers,
        )
    if processes.first:
        _print(result, as_json=as_json)


def _print(result: "TrainResult", *, as_json: bool) -> None:
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


class Shown:
    """What people read of a training: a bar at a terminal, else lines; with --json, objects."""

    def __init__(self, bar: "Progress", epochs: int, *, as_json: bool, looks: bool = True) -> None:
        self._bar, self._epochs, self._as_json = bar, epochs, as_json
        self._looks = _LOOKS if looks else ()
        self._task: TaskID | None = None
        self._first: EpochReport | None = None

    def taught(self, done: int, total: int) -> None:
        """Show how many pictures were seen before the first epoch."""
        self._update("pictures looked at", done, total)
        if done == total:
            self._task = None

    def resumed(self, epoch: int) -> None:
        """Tell from which epoch an interrupted training goes on."""
        remark(f"resuming in epoch {epoch} of {self._epochs}")

    def epoch(self, report: "EpochReport") -> None:
        """Show an epoch, and say so if nothing has been learnt by now."""
        self._update(_epoch_text(report), report.epoch, self._epochs)
        if self._as_json:
            print_json(_epoch_document(report))
        elif self._bar.disable:
            remark(f"epoch {report.epoch} of {self._epochs}: {_epoch_text(report)}")
        self._first = self._first or report
        if report.epoch in self._looks and report.loss > (1 - _LEAST_FALL) * self._first.loss:
            remark(
                f"it is not learning: after {report.epoch} epochs the loss is {report.loss:.4f}, "
                f"it was {self._first.loss:.4f}. Stop it and try another learning_rate, or "
                'mining = "batch-all"; some networks start to learn only after 20 epochs'
            )

    def _update(self, text: str, done: int, total: int) -> None:
        if self._task is None:
            self._task = self._bar.add_task(text, total=total)
        self._bar.update(self._task, completed=done, total=total, description=text)


@contextmanager
def _shown_epochs(epochs: int, *, as_json: bool, looks: bool) -> "Iterator[Shown]":
    """Give what shows a training; Ctrl-C says how to go on."""
    with progress_bar() as bar:
        try:
            yield Shown(bar, epochs, as_json=as_json, looks=looks)
        except KeyboardInterrupt:
            bar.stop()
            remark("interrupted: give the same command again to go on from where it was saved last")
            raise typer.Exit(INTERRUPTED) from None


def _settings(config: Path, seed: int | None, *, distil: bool, plain: bool) -> "AnyTrainConfig":
    """Return the settings in a file, with a seed in the place of theirs if there is one.

    Raises:
        CommandError: --distil stands without settings of a distillation, or they without it, or
            the network is to read plain pictures then.
    """
    from cipherlens.model.config import DistillConfig, read_config

    settings = read_config(config)
    if distil is not isinstance(settings, DistillConfig):
        raise CommandError(
            "--distil goes with settings that have a table [blocks] and a teacher", exit_code=USAGE
        )
    if distil and plain:
        raise CommandError(
            "--plain and --distil exclude each other: the teacher is the plain twin",
            exit_code=USAGE,
        )
    return settings if seed is None else replace(settings, seed=seed)


def _training_key(
    settings: "AnyTrainConfig",
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


def _remark_positions(settings: "AnyTrainConfig", profile: "CipherProfile | None") -> None:
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
