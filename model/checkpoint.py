"""A network in one file: safetensors weights, and all that one must know to use them.

The safetensors metadata holds one JSON document under the key "cipherlens". Reading it needs no
torch; weights are read without pickle, so that a file from a stranger cannot run code.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from cipherlens.base import CipherProfile, replace_file
from cipherlens.base.fields import check_choice, check_names, check_table
from cipherlens.model.config import record
from cipherlens.model.errors import CheckpointError
from cipherlens.model.networks.network_config import (
    BlockSetConfig,
    HashNetworkConfig,
    NetworkConfig,
)

if TYPE_CHECKING:
    from torch import Tensor

    from cipherlens.model.networks.hash_network import HashNetwork
    from cipherlens.model.networks.network import RetrievalNetwork

_Network = TypeVar("_Network", bound="RetrievalNetwork")

AnyConfig: TypeAlias = NetworkConfig | BlockSetConfig | HashNetworkConfig

ARCHITECTURES: Mapping[str, type[AnyConfig]] = {
    "e2e": NetworkConfig,
    "blocks": BlockSetConfig,
    "hash": HashNetworkConfig,
}
FORMAT_VERSION = 1
MAX_FILE_BYTES = 4 * 2**30
MAX_HEADER_BYTES = 4 * 2**20  # of JSON, which takes some 25 times as much when it is read
MAX_MULTIPLY_ACCUMULATES = 300 * 10**9
"""Of one image: seconds on a small CPU. ViT-Huge/8 takes 260 billion at 128x192, ViT-Base/8 36."""

_OF_A_SCORE = 64  # as long as so many takes what softmax does with one score of an attention

METADATA_KEY = "cipherlens"
SEALED_MAGIC = b"CLSN"
"""What a sealed hash network begins with; `crypto`, which the cloud never loads, opens it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointConfiguration:
    """What a checkpoint says about its network.

    `architecture` is "e2e" with a NetworkConfig, "blocks" with a BlockSetConfig or "hash" with a
    HashNetworkConfig. `profile`
    describes the cipher-images it was trained on; None for a network of plain images, which every
    hash network is. `training` holds JSON-able facts (settings, epochs, data, class names) and
    `numeric_mode` the arithmetic of the training, "fp32" or "bf16".
    """

    network: AnyConfig
    profile: CipherProfile | None
    training: Mapping[str, Any] = field(default_factory=dict)
    numeric_mode: str = "fp32"
    architecture: str = "e2e"

    def __post_init__(self) -> None:
        check_choice("architecture", self.architecture, ARCHITECTURES)
        if not isinstance(self.network, ARCHITECTURES[self.architecture]):
            raise TypeError(
                f"network of the architecture {self.architecture} must be a "
                f"{ARCHITECTURES[self.architecture].__name__}, got {self.network!r}"
            )
        check_choice("numeric_mode", self.numeric_mode, ("fp32", "bf16"))
        check_table("training", self.training)
        if self.profile is not None:
            _check_geometry(self.network, self.profile)

    def to_json(self) -> str:
        """Return the JSON document that stands in the file."""
        document = {
            "format_version": FORMAT_VERSION,
            "architecture": self.architecture,
            "network": asdict(self.network),
            "profile": None if self.profile is None else self.profile.to_dict(),
            "training": dict(self.training),
            "numeric_mode": self.numeric_mode,
        }
        return json.dumps(document, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the configuration in a JSON document.

        Raises:
            CheckpointError: if it is damaged or of another format version.
        """
        try:
            document = json.loads(text)
            version = document.pop("format_version")
            if version != FORMAT_VERSION:
                raise CheckpointError(
                    f"checkpoint format version {version!r} is not {FORMAT_VERSION}"
                )
            check_names("checkpoint", document, [*cls.__dataclass_fields__])
            profile, architecture = document["profile"], document["architecture"]
            check_choice("architecture", architecture, ARCHITECTURES)
            return cls(
                architecture=architecture,
                network=record(ARCHITECTURES[architecture], "network", document["network"]),
                profile=None if profile is None else CipherProfile.from_dict(profile),
                training=document["training"],
                numeric_mode=document["numeric_mode"],
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise CheckpointError(f"checkpoint configuration is damaged: {error}") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A checkpoint's configuration and the SHA-256 digest of the file's bytes, 64 hex digits."""

    configuration: CheckpointConfiguration
    digest: str

    @classmethod
    def read(cls, source: Path | bytes) -> Self:
        """Return what a checkpoint says of itself, without its weights and without torch.

        Raises:
            CheckpointError: if it is damaged or of another format version.
            OSError: if the file cannot be read.
        """
        data = _data(source)
        return cls(configuration=_configuration(data), digest=hashlib.sha256(data).hexdigest())


def read_configuration(source: Path | bytes) -> CheckpointConfiguration:
    """Return the configuration in a checkpoint, without its weights and without torch.

    Raises:
        CheckpointError: if the header is damaged or of another format version.
        OSError: if the file cannot be read.
    """
    return _configuration(source if isinstance(source, bytes) else _head(source))


def save(path: Path, network: "RetrievalNetwork", configuration: CheckpointConfiguration) -> None:
    """Write a checkpoint so that a crash leaves the old file or the new, never a mix."""
    from safetensors.torch import save as serialise

    tensors = {name: each.detach().cpu().contiguous() for name, each in _state(network).items()}
    replace_file(path, serialise(tensors, metadata={METADATA_KEY: configuration.to_json()}))


def load_network(source: Path | bytes) -> "RetrievalNetwork":
    """Return the network in a checkpoint that makes vectors, in evaluation mode on the CPU.

    Raises:
        CheckpointError: if the file is damaged, of another format version or architecture, too
            large, or its tensors are not the ones of its configuration or not finite.
        OSError: if the file cannot be read.
    """
    from cipherlens.model.networks.block_set import BlockSetNetwork
    from cipherlens.model.networks.end_to_end import EndToEndNetwork
    from cipherlens.model.networks.network import RetrievalNetwork

    def build() -> RetrievalNetwork:
        if isinstance(config, BlockSetConfig):
            return BlockSetNetwork(config)
        if isinstance(config, NetworkConfig):
            return EndToEndNetwork(config)
        raise CheckpointError("this is a hash network: it makes codes of plain images, no vectors")

    data = _data(source)
    config = _configuration(data).network
    return _restored(data, build)


def load_hash_network(source: Path | bytes) -> "HashNetwork":
    """Return the network in a checkpoint of architecture "hash", in evaluation mode on the CPU.

    Raises:
        CheckpointError: as `load_network` does.
        OSError: if the file cannot be read.
    """
    from cipherlens.model.networks.hash_network import HashNetwork

    data = _data(source)
    config = _configuration(data).network
    if not isinstance(config, HashNetworkConfig):
        raise CheckpointError("this is no hash network: it makes vectors, no codes")
    return _restored(data, lambda: HashNetwork(config))


def _restored(data: bytes, build: Callable[[], _Network]) -> _Network:
    """Return the network that build makes, with the weights in a checkpoint's bytes.

    Raises:
        CheckpointError: if they are damaged or not the network's.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load as deserialise

    try:
        # On the meta device nothing is allocated: what a file claims costs no memory by itself.
        with torch.device("meta"):
            network = build()
        tensors = deserialise(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint weights are damaged: {error}") from error
    _check_tensors(_state(network), tensors)
    _check_cost(network)
    if any(name not in tensors for name, _ in network.named_buffers()):
        # What a network computes when it is built and no file holds exists only in a real one.
        network = build()
    network.load_state_dict(tensors, assign=True)
    return network.eval()


def _check_geometry(network: AnyConfig, profile: CipherProfile) -> None:
    """Raise ValueError unless the network reads cipher-images and their sizes are its own."""
    if isinstance(network, HashNetworkConfig):
        raise ValueError("a hash network reads plain images: its profile must be None")
    pairs = [("height", "height"), ("width", "width")]
    if isinstance(network, BlockSetConfig):
        pairs.append(("block_size", "block_size"))
    elif network.backbone == "vit":
        pairs.append(("patch_size", "block_size"))
    for ours, theirs in pairs:
        have, need = getattr(network, ours), getattr(profile, theirs)
        if have != need:
            raise ValueError(f"network.{ours} {have} is not the cipher-images' {theirs} {need}")


def _data(source: Path | bytes) -> bytes:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > MAX_FILE_BYTES:
        raise CheckpointError(f"checkpoint has {size} bytes, the limit is {MAX_FILE_BYTES}")
    return source if isinstance(source, bytes) else source.read_bytes()


def _head(path: Path) -> bytes:
    """Return the first bytes of a file: the header's length and at most the largest header."""
    with path.open("rb") as file:
        return file.read(8 + MAX_HEADER_BYTES)


def _configuration(data: bytes) -> CheckpointConfiguration:
    """Return the configuration in a safetensors header: u64 little-endian length, then JSON."""
    if data.startswith(SEALED_MAGIC):
        raise CheckpointError("this is a sealed hash network: only who holds its key can read it")
    if len(data) < 8:
        raise CheckpointError(f"checkpoint is cut short: {len(data)} bytes")
    (length,) = struct.unpack_from("<Q", data)
    if length > MAX_HEADER_BYTES:
        raise CheckpointError(f"no checkpoint: a header of {length} bytes")
    if len(data) < 8 + length:
        raise CheckpointError(f"checkpoint is cut short: {len(data)} bytes")
    try:
        text = json.loads(data[8 : 8 + length])["__metadata__"][METADATA_KEY]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError("no checkpoint: it holds no cipherlens configuration") from error
    if not isinstance(text, str):
        raise CheckpointError("no checkpoint: it holds no cipherlens configuration")
    return CheckpointConfiguration.from_json(text)


def _state(network: "RetrievalNetwork") -> dict[str, "Tensor"]:
    return network.state_dict()


def _check_cost(network: "RetrievalNetwork") -> None:
    """Raise CheckpointError if one image takes too much of what is computed, or cannot be computed.

    The network is on the meta device, where neither time nor memory is spent: what a layer costs
    depends on the image's size, and a file of 3 KB may well claim hours.
    """
    from cipherlens.model.networks.cost import multiply_accumulates

    height, width = network.config.height, network.config.width
    try:
        # Wholly there: some compute a buffer on the CPU, wherever they are built.
        cost = multiply_accumulates(network.to("meta"), height, width)
    except Exception as error:  # whatever a network of a stranger raises
        raise CheckpointError(
            f"the network does not run on images of {height} x {width}"
        ) from error
    if isinstance(network.config, NetworkConfig):
        cost += _OF_A_SCORE * network.config.scores
    if cost > MAX_MULTIPLY_ACCUMULATES:
        raise CheckpointError(
            f"the network takes {cost:,} multiply-accumulates for an image of {height} x {width}, "
            f"the limit is {MAX_MULTIPLY_ACCUMULATES:,}"
        )


def _check_tensors(expected: Mapping[str, "Tensor"], found: Mapping[str, "Tensor"]) -> None:
    """Raise CheckpointError unless found has exactly the expected names, shapes and types."""
    if missing := sorted(set(expected) - set(found)):
        raise CheckpointError(f"checkpoint lacks {len(missing)} tensors, first {missing[0]}")
    if surplus := sorted(set(found) - set(expected)):
        raise CheckpointError(f"checkpoint has {len(surplus)} unknown tensors, first {surplus[0]}")
    for name, tensor in found.items():
        want = expected[name]
        if tensor.shape != want.shape or tensor.dtype != want.dtype:
            raise CheckpointError(
                f"tensor {name} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"its configuration needs {want.dtype} {tuple(want.shape)}"
            )
        if not tensor.isfinite().all():
            raise CheckpointError(f"tensor {name} holds values that are not finite")
