"""The owner's hash network as commands take it: sealed, or a plain checkpoint."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.base import Kind
from cipherlens.client.cli.failure import NOT_FOUND, USAGE, CommandError, about
from cipherlens.client.coding import check_encoder
from cipherlens.client.core.collection import Collection
from cipherlens.crypto import Keyring, UnknownKey, read_network

if TYPE_CHECKING:
    from cipherlens.model.hash_encoder import HashEncoder

HashNetworkPath = Annotated[
    Path | None,
    typer.Option(
        "--model",
        metavar="FILE",
        help="The owner's hash network, for a collection of codes: what 'model seal' wrote, or a "
        "plain checkpoint.",
        dir_okay=False,
    ),
]


def read_checkpoint(path: Path, keyring: Keyring) -> bytes:
    """Return the bytes of a checkpoint; a sealed network is opened in memory, never on the disk.

    Raises:
        CommandError: it is sealed and does not open with the keyring.
        OSError: the file cannot be read.
    """
    with about(path):
        try:
            return read_network(path.read_bytes(), keyring)
        except UnknownKey as error:
            raise CommandError(
                f"{path} is sealed: {error}",
                hint="it opens with the keyring of whoever sealed it",
                exit_code=NOT_FOUND,
            ) from error


def open_encoder(path: Path, keyring: Keyring, device: str) -> "HashEncoder":
    """Return the hash network of a file, ready to make codes.

    Raises:
        CommandError: the file holds none, or does not open.
    """
    from cipherlens.model.hash_encoder import HashEncoder

    data = read_checkpoint(path, keyring)
    with about(path):
        return HashEncoder(data, device)


def describe_network(path: Path, keyring: Keyring) -> tuple[int, bytes]:
    """Return the bits that a hash network makes and the SHA-256 of its checkpoint, without torch.

    Raises:
        CommandError: the file holds no hash network, or does not open.
    """
    from cipherlens.model.checkpoint import Checkpoint
    from cipherlens.model.networks.network_config import HashNetworkConfig

    with about(path):
        checkpoint = Checkpoint.read(read_checkpoint(path, keyring))
    network = checkpoint.configuration.network
    if not isinstance(network, HashNetworkConfig):
        raise CommandError(
            f"{path} is no hash network: it reads cipher-images, and the server runs it",
            hint="'cipherlens model push' puts it there",
            exit_code=USAGE,
        )
    return network.bits, bytes.fromhex(checkpoint.digest)


def encoder_for(
    where: Collection, path: Path | None, keyring: Keyring, device: str
) -> "HashEncoder | None":
    """Return the hash network for a collection of codes; None for one of cipher-images.

    Raises:
        CommandError: --model is missing, or given where it has no use; or as `open_encoder`.
        ValueError: the network's codes are not those of the collection; names both.
    """
    if where.kind is not Kind.CODE:
        if path is not None:
            raise CommandError(
                f"--model makes codes, collection {where.name!r} holds items of kind {where.kind}",
                exit_code=USAGE,
            )
        return None
    if path is None:
        raise CommandError(
            f"collection {where.name!r} holds codes: a hash network makes them of pictures",
            hint="give --model FILE, the owner's hash network, sealed or plain",
            exit_code=USAGE,
        )
    encoder = open_encoder(path, keyring, device)
    check_encoder(where, encoder)
    return encoder
