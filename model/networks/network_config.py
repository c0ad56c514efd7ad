"""What a network is: the settings of its layers, and the sizes that it takes from the data."""

import re
from dataclasses import dataclass

from cipherlens.base.fields import check_choice, check_integer, check_number

BLOCKS = "blocks"
"""The backbone of a `BlockSetConfig`."""

CELLS = 8
"""The sides of a block are multiples of so many pixels, for the cells of its description."""

EMBEDDINGS = ("linear", "convolution", "residual", "ordered", "learned")

BACKBONE_NAME = re.compile(r"[a-z0-9_]{1,64}")  # no slash or colon: never a hub or a path


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """A backbone and the head of E2E eqs. 8-9.

    `backbone` is "vit", a Vision Transformer made of the fields below, or the name of a timm
    architecture, which ignores the fields from `patch_size` to `embedding`. `height`, `width`
    (landscape) and `classes` come from the data, not from a settings file. Of timm's, those fit
    that take images of any size, such as "resnet50".

    `positions` is "learned" (the paper's, for cipher-images of one permutation) or "none": the
    feature is then the same for every order of the blocks, as a network of any key needs it.
    `embedding` makes a token of a block: "linear" (the paper's), or one of ours: "convolution",
    which also sees what every colour table leaves equal; "residual", the same with more layers;
    "ordered", which also sees how bright values are by those beside them, for any key; "learned",
    which also learns what each value stands for, for one key.

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
    embedding: str = "linear"
    feature_dim: int = 768
    height: int = 128
    width: int = 192
    classes: int = 100

    def __post_init__(self) -> None:
        _check_shared(self, "vit")
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
        check_choice("embedding", self.embedding, EMBEDDINGS)
        check_integer("feature_dim", self.feature_dim, 1, 8192)

    @property
    def scores(self) -> int:
        """How many pairs of blocks attention compares in one image, in our own transformer."""
        if self.backbone != "vit":
            return 0
        tokens = 1 + self.height * self.width // self.patch_size**2
        return self.depth * self.heads * tokens**2


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockSetConfig:
    """A network of any key that knows no places: what is pooled over a set of blocks.

    `block_size` is the keys' own. Of the `feature_dim` numbers of a vector the last
    `identity_dim` say which blocks a picture is made of, with `identity_share` of the cosine; the
    others a teacher of plain pictures has taught, or labels. The head that makes them is linear, or
    has a layer of `hidden` numbers; in training it leaves out a share `dropout` of what it takes.
    `height` x `width` (landscape) comes from the data, as does `classes`, which is 0 where no
    labels were learnt from. `backbone` has one value.

    Raises:
        ValueError: if a field is out of range.
        TypeError: if a field has the wrong type.
    """

    backbone: str = BLOCKS
    block_size: int = 16
    feature_dim: int = 512
    identity_dim: int = 256
    identity_share: float = 0.1
    hidden: int = 0
    dropout: float = 0.0
    height: int = 128
    width: int = 192
    classes: int = 0

    def __post_init__(self) -> None:
        check_choice("backbone", self.backbone, (BLOCKS,))
        check_integer("width", self.width, 1, 2**12)
        check_integer("height", self.height, 1, self.width)
        check_integer("block_size", self.block_size, CELLS, self.height)
        if any(side % self.block_size for side in (self.height, self.width)):
            raise ValueError(
                f"block_size must divide {self.height} and {self.width}, got {self.block_size}"
            )
        if self.block_size % CELLS:
            raise ValueError(f"block_size must be a multiple of {CELLS}, got {self.block_size}")
        check_integer("feature_dim", self.feature_dim, 2, 8192)
        check_integer("identity_dim", self.identity_dim, 1, self.feature_dim - 1)
        check_number("identity_share", self.identity_share, 0, 1)
        check_integer("hidden", self.hidden, 0, 8192)
        check_number("dropout", self.dropout, 0, 0.95)
        check_integer("classes", self.classes, 0, 2**20)

    @property
    def semantic_dim(self) -> int:
        """How many numbers of a vector were learnt."""
        return self.feature_dim - self.identity_dim


@dataclass(frozen=True, kw_only=True, slots=True)
class HashNetworkConfig:
    """A backbone and the hash layer of DLHEIR section 3.3.2; the defaults are the paper's.

    `backbone` is "dlheir", the paper's shortened DenseNet201, or the name of a timm architecture:
    "densenet201" is what the paper calls the original CNN. Bit i of a code is 1 where activation
    i reaches `threshold`, which the paper leaves open. A code has any number of `bits`, but a
    collection takes only the lengths in `cipherlens.base.BITS`. `height` x `width` is the size to
    which the plain images are prepared, landscape where the sides differ; `classes` comes from the
    data, not from a settings file.

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
        _check_shared(self, "dlheir")
        check_integer("bits", self.bits, 1, 4096)
        check_number("threshold", self.threshold, 0.001, 0.999)


def _check_shared(config: NetworkConfig | HashNetworkConfig, own: str) -> None:
    """Check what both have: sizes, and a backbone that is our `own` or can be a timm name."""
    backbone: object = config.backbone
    if not isinstance(backbone, str) or not BACKBONE_NAME.fullmatch(backbone):
        raise ValueError(f"backbone must be {own!r} or a timm name, got {backbone!r}")
    check_integer("width", config.width, 1, 2**12)
    check_integer("height", config.height, 1, config.width)
    check_integer("classes", config.classes, 1, 2**20)
