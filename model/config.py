"""How a network is trained: the settings of each kind, and reading them from a TOML file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeAlias

from cipherlens.base.fields import (
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_table,
)
from cipherlens.model.loop_config import (
    PRECISIONS,
    PRETRAINED,
    AugmentationConfig,
    LoopConfig,
    SplitConfig,
    read_tables,
    record,
)
from cipherlens.model.networks.network_config import (
    BLOCKS,
    BlockSetConfig,
    HashNetworkConfig,
    NetworkConfig,
)

__all__ = [
    "PRECISIONS",
    "PRETRAINED",
    "AugmentationConfig",
    "BlockSetConfig",
    "BlockTrainConfig",
    "DistillConfig",
    "HashNetworkConfig",
    "HashTrainConfig",
    "LabelConfig",
    "LoopConfig",
    "NetworkConfig",
    "SplitConfig",
    "TrainConfig",
    "read_config",
    "record",
]

MINING = ("batch-hard", "batch-all", "batch-active")
PAIRS = ("none", "triplets", "contrastive")
CLASSIFIERS = ("linear", "cosine")


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelConfig(LoopConfig):
    """What the trainings with labels set: L = pairs + alpha * cross entropy (E2E eq. 5).

    `pairs` compares the pictures of a batch: "triplets", which stop at `margin` (E2E eq. 3), or
    "contrastive", where each is to prefer its class among all (Khosla et al. 2020, eq. 2), by
    cosines over `temperature`; "none" leaves cross entropy alone. Of the triplets `mining` says
    which count: "batch-hard" takes for each picture the farthest of its class and the nearest of
    the others, "batch-all" every triplet, "batch-active" every one that is not satisfied, so that
    the mean does not fade. Where classes are hard to tell apart, batch-hard may stop at a loss of
    about the margin, with all features alike; the others go on.

    `classifier` makes the logits: "linear" (the papers) or "cosine", `scale` times the cosine to
    each class, which is what rankings go by; there `angular_margin`, in radians, is added to the
    angle of the right class (ArcFace, Deng et al. 2019, eq. 3). `label_smoothing` is the share of
    probability that goes to all classes alike.
    """

    LATER: ClassVar[frozenset[str]] = LoopConfig.LATER | {
        "pairs",
        "mining",
        "temperature",
        "classifier",
        "scale",
        "angular_margin",
        "label_smoothing",
        "pieces",
        "compiled",
    }

    pairs: str = "triplets"
    margin: float = 0.5
    mining: str = "batch-hard"
    temperature: float = 0.1
    alpha: float = 0.5
    classifier: str = "linear"
    scale: float = 16.0
    angular_margin: float = 0.0
    label_smoothing: float = 0.0
    pieces: int = 1
    compiled: bool = False

    def __post_init__(self) -> None:
        LoopConfig.__post_init__(self)  # a slotted dataclass has no super() without arguments
        check_choice("pairs", self.pairs, PAIRS)
        check_number("margin", self.margin, 0, 2)
        check_choice("mining", self.mining, MINING)
        check_number("temperature", self.temperature, 0.001, 10)
        check_number("alpha", self.alpha, 0, 1000)
        check_choice("classifier", self.classifier, CLASSIFIERS)
        check_number("scale", self.scale, 0.1, 1000)
        check_number("angular_margin", self.angular_margin, 0, 1.5)
        check_number("label_smoothing", self.label_smoothing, 0, 0.9)
        check_integer("pieces", self.pieces, 1, 10_000)
        check_flag("compiled", self.compiled)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig(LabelConfig):
    """How an end-to-end network is trained; the defaults are the E2E paper's where it states them.

    A batch is `batch_classes` x `batch_images` pictures.
    """

    TABLE: ClassVar[str] = "network"
    MEASURED: ClassVar[frozenset[str]] = frozenset({"height", "width", "classes"})

    network: NetworkConfig = field(default_factory=NetworkConfig)
    batch_classes: int = 10
    batch_images: int = 5
    beta1: float = 0.9

    def __post_init__(self) -> None:
        LabelConfig.__post_init__(self)
        check_integer("batch_classes", self.batch_classes, 2, 10_000)
        check_integer("batch_images", self.batch_images, 2, 10_000)
        check_number("beta1", self.beta1, 0, 0.9999)


@dataclass(frozen=True, kw_only=True, slots=True)
class HashTrainConfig(LabelConfig):
    """How a hash network is trained; the defaults are those of DLHEIR section 3.3.

    The paper keeps 20 % of each class for tests and states no weight decay. The data must be
    prepared to the network's height and width. Pairs are compared by how the activations lie
    about the threshold that makes bits of them.
    """

    TABLE: ClassVar[str] = "hash"
    MEASURED: ClassVar[frozenset[str]] = frozenset({"classes"})
    LATER: ClassVar[frozenset[str]] = LabelConfig.LATER | {"pairs", "margin", "alpha"}

    network: HashNetworkConfig = field(default_factory=HashNetworkConfig)
    split: SplitConfig = field(default_factory=lambda: SplitConfig(test=0.2))
    epochs: int = 200
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    pairs: str = "none"
    alpha: float = 1.0

    def __post_init__(self) -> None:
        LabelConfig.__post_init__(self)
        check_integer("batch_size", self.batch_size, 2, 100_000)
        check_number("momentum", self.momentum, 0, 0.9999)


class BlocksConfig:
    """What both trainings of a network of any key set.

    `stages` says where the weights of the first stages of EfficientNet-Lite0 come from, which look
    at blocks and stay as they are. They see `copies` changed copies of every picture, the first as
    it is. A batch has `batch_size` pictures.
    """

    __slots__ = ()
    TABLE: ClassVar[str] = BLOCKS

    batch_size: int
    stages: str
    copies: int

    def _check_blocks(self) -> None:
        check_integer("batch_size", self.batch_size, 2, 100_000)
        check_integer("copies", self.copies, 1, 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillConfig(BlocksConfig, LoopConfig):
    """How a network of any key learns from a teacher of plain pictures, without labels.

    `pretrained` says where the weights of the teacher, timm's architecture `teacher`, come from.
    The head starts with a ridge regression of the teacher's vectors, whose `penalty` is relative to
    the number of pictures; the epochs then improve its rankings. What the teacher makes of the
    copies is computed once. `relation` weighs how the pictures of a batch rank each other against
    where each lies, `temperature` is that of the rankings' softmax.
    """

    MEASURED: ClassVar[frozenset[str]] = frozenset(
        {"height", "width", "backbone", "classes", "hidden", "dropout"}
    )
    """The head is linear here, as its regression is."""

    network: BlockSetConfig = field(default_factory=BlockSetConfig)
    split: SplitConfig = field(default_factory=lambda: SplitConfig(validation=0.05, test=0.0))
    augmentation: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(flip=0.5, min_area=0.35, jitter=0.35)
    )
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
    schedule: str = "cosine"
    stages: str = "efficientnet-lite0-pypi"
    penalty: float = 0.1
    pretrained: str = "efficientnet-lite0-pypi"
    teacher: str = "tf_efficientnet_lite0"
    copies: int = 4
    relation: float = 1.0
    temperature: float = 0.1

    def __post_init__(self) -> None:
        LoopConfig.__post_init__(self)
        self._check_blocks()
        if not self.pretrained:
            raise ValueError("pretrained must say where the teacher's weights come from")
        check_number("penalty", self.penalty, 1e-6, 1e6)
        check_number("relation", self.relation, 0, 1000)
        check_number("temperature", self.temperature, 0.001, 10)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockTrainConfig(BlocksConfig, LabelConfig):
    """How the head of a network of any key learns from labels.

    What the stages see of the copies, each under sequences of its own, is computed once; then the
    head learns from it, so that hundreds of epochs take no longer than the looking did.
    """

    MEASURED: ClassVar[frozenset[str]] = frozenset({"height", "width", "backbone", "classes"})

    network: BlockSetConfig = field(default_factory=lambda: BlockSetConfig(hidden=384, dropout=0.4))
    augmentation: AugmentationConfig = field(
        default_factory=lambda: AugmentationConfig(flip=0.5, min_area=0.5, jitter=0.2)
    )
    epochs: int = 200
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    schedule: str = "cosine"
    pairs: str = "contrastive"
    alpha: float = 1.0
    classifier: str = "cosine"
    label_smoothing: float = 0.1
    stages: str = "efficientnet-lite0-pypi"
    copies: int = 6

    def __post_init__(self) -> None:
        LabelConfig.__post_init__(self)
        self._check_blocks()
        check_integer("pieces", self.pieces, 1, 1)
        if self.compiled or self.pretrained:
            name = "compiled" if self.compiled else "pretrained"
            raise ValueError(f"{name} is not for a head alone: leave it out")


AnyTrainConfig: TypeAlias = TrainConfig | DistillConfig | BlockTrainConfig | HashTrainConfig


def read_config(path: Path) -> AnyTrainConfig:
    """Return the settings in a TOML file, of the kind of network of which it has a table.

    Without such a table they are an end-to-end network's. With a table [blocks] they are those of
    a distillation if they name a teacher, else those of a training with labels.

    Raises:
        ValueError: naming the file and what it does not know, or the value out of range.
        OSError: if the file cannot be read.
    """
    tables = read_tables(path)
    taught = "teacher" in check_table("training", tables.get("training", {}))
    kinds = (TrainConfig, DistillConfig if taught else BlockTrainConfig, HashTrainConfig)
    named = [kind for kind in kinds if kind.TABLE in tables]
    if len(named) > 1:
        both = " and ".join(f"[{kind.TABLE}]" for kind in named)
        raise ValueError(f"{path}: {both} are {len(named)} kinds of network, choose one")
    return (named or [TrainConfig])[0].from_toml(path)
