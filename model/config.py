"""What a network is and how it is trained: the settings, and reading them from a TOML file."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

from cipherlens.model.fields import (
    check_choice,
    check_integer,
    check_names,
    check_number,
    check_table,
)

BACKBONE_NAME = re.compile(r"[a-z0-9_]{1,64}")  # no slash or colon: never a hub or a path
MEASURED = frozenset({"height", "width", "classes"})
PRECISIONS = ("auto", "fp32", "bf16")

_Record = TypeVar("_Record")


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """A backbone and the head of E2E eqs. 8-9.

    `backbone` is "vit", a Vision Transformer made of the fields below, or the name of a timm
    architecture, which ignores the fields from `patch_size` to `positions`. `height`, `width`
    (landscape) and `classes` come from the data, not from a settings file. Of timm's, those fit
    that take images of any size, such as "resnet50".

    Raises:
        ValueError: if a field is out of range.
        TypeError: if a field has the wrong type.
    """

    backbone: str = "vit"
    patch_size: int = 8
    dim: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: float = 4.0
    drop_path: float = 0.0
    positions: str = "learned"
    feature_dim: int = 768
    height: int = 128
    width: int = 192
    classes: int = 100

    def __post_init__(self) -> None:
        _check_backbone("vit", self.backbone)
        check_integer("width", self.width, 1, 2**12)
        check_integer("height", self.height, 1, self.width)
        check_integer("patch_size", self.patch_size, 1, self.height)
        if self.height % self.patch_size or self.width % self.patch_size:
            raise ValueError(
                f"patch_size must divide {self.height} and {self.width}, got {self.patch_size}"
            )
        check_integer("dim", self.dim, 1, 4096)
        check_integer("depth", self.depth, 1, 64)
        check_integer("heads", self.heads, 1, 128)
        if self.dim % self.heads:
            raise ValueError(f"heads must divide dim {self.dim}, got {self.heads}")
        check_number("mlp_ratio", self.mlp_ratio, 0.25, 16)
        check_number("drop_path", self.drop_path, 0, 0.9)
        check_choice("positions", self.positions, ("learned", "none"))
        check_integer("feature_dim", self.feature_dim, 1, 8192)
        check_integer("classes", self.classes, 1, 2**20)


@dataclass(frozen=True, kw_only=True, slots=True)
class HashNetworkConfig:
    """A backbone and the hash layer of DLHEIR section 3.3.2; the defaults are the paper's.

    `backbone` is "dlheir", the paper's shortened DenseNet201, or the name of a timm architecture:
    "densenet201" is what the paper calls the original CNN. Bit i of a code is 1 where activation
    i reaches `threshold`, which the paper leaves open. `height` x `width` is the size of the
    prepared plain images, landscape where the sides differ.

    Raises:
        ValueError: if a field is out of range.
        TypeError: if a field has the wrong type.
    """

    backbone: str = "dlheir"
    bits: int = 48
    threshold: float = 0.5
    height: int = 384
    width: int = 384
    classes: int = 100

    def __post_init__(self) -> None:
        _check_backbone("dlheir", self.backbone)
        check_integer("bits", self.bits, 1, 4096)
        check_number("threshold", self.threshold, 0.001, 0.999)
        check_integer("width", self.width, 1, 2**12)
        check_integer("height", self.height, 1, self.width)
        check_integer("classes", self.classes, 1, 2**20)


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitConfig:
    """The share of each class that is held out; the rest trains.

    The test share is the paper's 30 %; the validation part, on which epochs and settings are
    chosen, is taken from the training images.
    """

    validation: float = 0.1
    test: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        check_number("validation", self.validation, 0, 0.9)
        check_number("test", self.test, 0, 0.9)
        if self.validation + self.test > 0.9:
            raise ValueError(
                f"validation and test together must be at most 0.9, "
                f"got {self.validation} and {self.test}"
            )
        check_integer("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class AugmentationConfig:
    """Changes of the plain image before it is encrypted; the defaults change nothing.

    `flip` is the probability of mirroring, `min_area` the smallest share of the picture that a
    random crop keeps, `jitter` the largest relative change of brightness, contrast, saturation.
    """

    flip: float = 0.0
    min_area: float = 1.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        check_number("flip", self.flip, 0, 1)
        check_number("min_area", self.min_area, 0.05, 1)
        check_number("jitter", self.jitter, 0, 0.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How a network is trained; the defaults are the E2E paper's where it states them.

    A batch is `batch_classes` x `batch_images` pictures. `schedule` is "constant" (the paper) or
    "cosine"; the rate rises linearly over `warmup_epochs` first. `max_minutes` ends a training at
    the border of the epoch in which it is exceeded; 0 is no limit.

    Raises:
        ValueError: if a field is out of range.
        TypeError: if a field has the wrong type.
    """

    network: NetworkConfig = field(default_factory=NetworkConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    epochs: int = 60
    batch_classes: int = 10
    batch_images: int = 5
    learning_rate: float = 5e-5
    beta1: float = 0.9
    weight_decay: float = 1e-5
    warmup_epochs: int = 0
    schedule: str = "constant"
    margin: float = 0.5
    alpha: float = 0.5
    seed: int = 0
    precision: str = "auto"
    max_minutes: float = 0.0

    def __post_init__(self) -> None:
        check_integer("epochs", self.epochs, 1, 100_000)
        check_integer("batch_classes", self.batch_classes, 2, 10_000)
        check_integer("batch_images", self.batch_images, 2, 10_000)
        check_number("learning_rate", self.learning_rate, 1e-9, 10)
        check_number("beta1", self.beta1, 0, 0.9999)
        check_number("weight_decay", self.weight_decay, 0, 10)
        check_integer("warmup_epochs", self.warmup_epochs, 0, self.epochs)
        check_choice("schedule", self.schedule, ("constant", "cosine"))
        check_number("margin", self.margin, 0, 2)
        check_number("alpha", self.alpha, 0, 1000)
        check_integer("seed", self.seed, 0, 2**63 - 1)
        check_choice("precision", self.precision, PRECISIONS)
        check_number("max_minutes", self.max_minutes, 0, 1e6)

    @classmethod
    def from_toml(cls, path: Path) -> "TrainConfig":
        """Return the settings in a TOML file: [network], [split], [augmentation], [training].

        Raises:
            ValueError: naming the file and what it does not know, or the value out of range.
            OSError: if the file cannot be read.
        """
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
            check_names("the file", tables, ("network", "split", "augmentation", "training"))
            for name, values in tables.items():
                check_table(name, values)
            if measured := MEASURED.intersection(tables.get("network", {})):
                raise ValueError(f"network.{min(measured)} comes from the data: leave it out")
            return cls.from_dict({**tables.pop("training", {}), **tables})
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """Return the settings that `to_dict` described; what is left out has its default.

        Raises:
            ValueError: for an unknown field or a value out of range.
            TypeError: for a value of the wrong type.
        """
        tables = {
            "network": record(NetworkConfig, "network", values.get("network", {})),
            "split": record(SplitConfig, "split", values.get("split", {})),
            "augmentation": record(
                AugmentationConfig, "augmentation", values.get("augmentation", {})
            ),
        }
        return record(cls, "training", {**values, **tables})

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested JSON-able values."""
        return asdict(self)


def record(kind: type[_Record], name: str, values: object) -> _Record:
    """Return the dataclass `kind` filled from a table called `name`.

    Raises:
        ValueError: for an unknown field or a value out of range.
        TypeError: if values is no table or a value has the wrong type.
    """
    table = check_table(name, values)
    check_names(name, table, [each.name for each in fields(cast("Any", kind))])
    return kind(**table)


def _check_backbone(own: str, backbone: object) -> None:
    """Raise ValueError unless backbone is our `own` or can be the name of a timm architecture."""
    if not isinstance(backbone, str) or not BACKBONE_NAME.fullmatch(backbone):
        raise ValueError(f"backbone must be {own!r} or a timm name, got {backbone!r}")
