"""The networks of both papers as methods: vectors compared by cosine, codes by Hamming distance."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.sources import sources_digest
from benchmarks.methods.keys import MeasuredKeyEncryptor
from benchmarks.methods.method import Encrypted, Features
from cipherlens.base import CipherProfile, replace_file
from cipherlens.crypto import CipherParameters
from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.config import (
    BlockTrainConfig,
    HashTrainConfig,
    NetworkConfig,
    SplitConfig,
    TrainConfig,
)
from cipherlens.model.data.encryption import Encryptor, Pixels, plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation.code_metrics import hamming_distances
from cipherlens.model.evaluation.evaluate_distances import Distances
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.networks.block_set import ARCHITECTURE
from cipherlens.model.networks.pretrained import origin
from cipherlens.model.precision import resolve_device, resolve_precision
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.train import train


class FittedNetwork:
    """A checkpoint whose network encodes what an encryptor makes of pictures."""

    def __init__(
        self,
        checkpoint: Path,
        encryptor: Encryptor = plain,
        facts: Mapping[str, Any] | None = None,
        device: str = "auto",
    ) -> None:
        """Load the network, by default onto the GPU if there is one."""
        self.facts: Mapping[str, Any] = facts or {}
        self.encryptor = encryptor
        self.configuration = read_configuration(checkpoint)
        self._hashes = self.configuration.architecture == "hash"
        self._encode: Callable[[Pixels], Features] = (
            HashEncoder(checkpoint, device).encode
            if self._hashes
            else Embedder(checkpoint, device).embed
        )

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Encrypted:
        """Return the pictures as the network sees them."""
        return self.encryptor(pixels, generator)

    def encode(self, encrypted: Encrypted) -> Features:
        """Return packed codes, or float32 unit vectors."""
        return self._encode(encrypted)

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return Hamming distances of codes, the negative cosine of vectors."""
        if self._hashes:
            return hamming_distances(queries, database)
        cosines: Distances = queries @ database.T
        return -cosines


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainedNetwork:
    """A network of settings.

    `encryptor` makes what it is trained on and `judge`, if it is another, what it is judged on;
    `profile` is what the images of either claim, None for plain ones.
    """

    name: str
    config: TrainConfig | BlockTrainConfig | HashTrainConfig
    encryptor: Encryptor = plain
    judge: Encryptor | None = None
    profile: CipherProfile | None = None

    @property
    def split(self) -> SplitConfig:
        """The split of its settings."""
        return self.config.split

    @property
    def against_rest(self) -> bool:
        """Whether it is a hash network: DLHEIR searches the training pictures too."""
        return isinstance(self.config, HashTrainConfig)

    def settings(self) -> list[Any]:
        """Return its settings and the claim of its cipher-images."""
        return [self.config.to_dict(), None if self.profile is None else self.profile.to_dict()]

    def decided_by(self) -> dict[str, Any]:
        """Return its code, what encrypts for it, and the arithmetic of this machine."""
        return {
            "code": sources_digest(type(self).__module__),
            "encryptor": _told(self.encryptor),
            "judge": _told(self.judge or self.encryptor),
            "precision": resolve_precision(self.config.precision, resolve_device("auto")),
            "start": _start(self.config),
        }

    def fit(self, data: PreparedImages, path: Path) -> FittedNetwork:
        """Train it into a checkpoint at `path`, from where an interrupted training was.

        One that has ended is not trained again if its judging was interrupted.
        """
        told = path.with_suffix(".json")
        if not (told.exists() and path.exists()):
            replace_file(told, json.dumps(self._trained(data, path), allow_nan=False).encode())
        return FittedNetwork(path, self.judge or self.encryptor, json.loads(told.read_text()))

    def _trained(self, data: PreparedImages, path: Path) -> dict[str, Any]:
        """Train it and return what is said of the training."""
        result = train(
            self.config,
            data,
            self.encryptor,
            self.profile,
            path,
            progress=self._tell,
            device="auto",
            workers=int(resolve_device("auto").type == "cuda"),  # a step must not wait for pictures
        )
        config, profile = self.settings()
        return {
            "validation_map": result.validation_map,
            "best_epoch": result.best_epoch,
            "minutes": round(sum(each.seconds for each in result.history) / 60, 1),
            "cpu_minutes": round(sum(each.cpu_seconds for each in result.history) / 60, 1),
            "config": config,
            "data_digest": data.digest(),
            "profile": profile,
            "log": [asdict(each) for each in result.history],
        }

    def _tell(self, report: EpochReport) -> None:
        line = f"{self.name}: epoch {report.epoch} of {self.config.epochs}"
        score = "" if report.validation_map is None else f", mAP {report.validation_map:.4f}"
        print(f"{line}, loss {report.loss:.4f}{score}, {report.seconds:.0f} s", file=sys.stderr)


def _told(encryptor: Encryptor) -> list[Any]:
    """Return an encryptor's name and the claim of what it makes, the key's fingerprint in it."""
    profile: CipherProfile | None = getattr(encryptor, "profile", None)
    name = getattr(encryptor, "__name__", type(encryptor).__name__)
    return [name, None if profile is None else profile.to_dict()]


def _start(config: TrainConfig | BlockTrainConfig | HashTrainConfig) -> dict[str, str]:
    """Return which weights the training starts from, a file by its digest; {} for random ones."""
    if isinstance(config, BlockTrainConfig):
        return origin(NetworkConfig(backbone=ARCHITECTURE), config.stages)
    return origin(config.network, config.pretrained) if config.pretrained else {}


def key_bound(
    name: str,
    config: TrainConfig,
    parameters: CipherParameters,
    key_seed: int | Sequence[int] | None = None,
) -> TrainedNetwork:
    """Return a network of the cipher-images of one key, that of the training's seed if no other."""
    seed = config.seed if key_seed is None else key_seed
    encryptor = MeasuredKeyEncryptor(parameters, seed)
    return TrainedNetwork(name=name, config=config, encryptor=encryptor, profile=encryptor.profile)
