"""The labelled pictures that `train` and `evaluate` read, and what a network sees of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.client.cli.console import progress_bar, remark
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.crypto import KeyEntry, PreparedSize

if TYPE_CHECKING:
    from cipherlens.base import CipherProfile
    from cipherlens.model.data.encryption import Encryptor
    from cipherlens.model.data.images import PreparedImages

Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="SPEC",
        help="Labelled pictures: PATH or folder:PATH of class folders, fashion-mnist:PATH of the "
        "IDX files, corel10k:PATH of N.jpg, openclipart:PATH of its category folders; without "
        "labels pictures:PATH, of pictures at any depth.",
    ),
]


Cache = Annotated[
    Path | None,
    typer.Option("--cache", metavar="DIR", help="Keep decoded plain pictures here, for next time."),
]


def load_images(data: str, size: PreparedSize, cache: Path | None = None) -> "PreparedImages":
    """Return the prepared pictures that a --data option names; tells of those left out.

    They come from the folder `cache` where they were decoded before, and are kept there if not.

    Raises:
        CommandError: it names no folder.
    """
    from cipherlens.model.data.data_spec import load_data, parse_data_spec
    from cipherlens.model.data.decoded import load_decoded

    spec = parse_data_spec(data)
    if not spec.path.is_dir():
        raise CommandError(
            f"--data: {spec.path} is not a folder",
            hint="'cipherlens train --help' says what it takes",
            exit_code=USAGE,
        )
    with progress_bar() as bar:
        task = bar.add_task("pictures", total=None)

        def shown(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if cache is None:
            images = load_data(spec, size, shown)
        else:
            images = load_decoded(spec, size, cache, shown)
    for name, reason in images.skipped:
        remark(f"skipped {name}: {reason}")
    return images


def encryptor_of(
    entry: KeyEntry | None, *, plain: bool = False
) -> "tuple[Encryptor, CipherProfile | None]":
    """Return what makes of plain pictures what the network sees, and what those claim.

    Without a key, or if they are to be plain, it leaves them as they are.
    """
    from cipherlens.model.data import encryption

    if entry is None or plain:
        return encryption.plain, None
    encryptor = encryption.KeyEncryptor(entry)
    return encryptor, encryptor.profile
