"""What a key fixes for every image encrypted under it."""

from dataclasses import asdict, dataclass, fields

from cipherlens.base import CipherProfile, Scope

SCHEME_VERSION = 1
"""Version of the key schedule, the permutation and the substitution."""

PREPARATION_VERSION = 1
"""Version of the way from a picture to the array of pixels that is encrypted."""

CHANNELS = 3
"""Bytes of a pixel: red, green and blue."""

MAX_SIDE = 16_384
"""Longest side of a prepared image, in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CipherParameters:
    """The immutable parameters of a key entry.

    Attributes:
        scheme_version: version of the cipher, today 1.
        preparation_version: version of the preparation, today 1.
        height: height of the prepared landscape image in pixels; a portrait has it as width.
        width: width of the prepared landscape image in pixels, at least `height`.
        block_size: side P of a square block in pixels; divides height and width.
        substituted_blocks: number M of blocks whose colours are substituted, 0 to `blknum`.
        scope: whether every image of the key has sequences of its own, or all share theirs.

    Raises:
        ValueError: a field is out of its range; names the field, the limit and the value.
        TypeError: a number is not an int.
    """

    scheme_version: int = SCHEME_VERSION
    preparation_version: int = PREPARATION_VERSION
    height: int = 128
    width: int = 192
    block_size: int = 8
    substituted_blocks: int = 96
    scope: Scope = Scope.IMAGE

    def __post_init__(self) -> None:
        """Check every field, and turn a scope given by its text into the member."""
        _check_version("scheme_version", self.scheme_version, SCHEME_VERSION)
        _check_version("preparation_version", self.preparation_version, PREPARATION_VERSION)
        _check_range("height", self.height, 1, MAX_SIDE)
        _check_range("width", self.width, self.height, MAX_SIDE)
        _check_range("block_size", self.block_size, 1, self.height)
        for field in ("height", "width"):
            side = getattr(self, field)
            if side % self.block_size:
                raise ValueError(
                    f"{field} must be a multiple of block_size {self.block_size}, got {side}"
                )
        _check_range("substituted_blocks", self.substituted_blocks, 0, self.blknum)
        object.__setattr__(self, "scope", _scope(self.scope))

    @classmethod
    def of(cls, profile: CipherProfile) -> "CipherParameters":
        """Return the parameters that a profile claims. Raises ValueError if they are not known."""
        return cls(**{each.name: getattr(profile, each.name) for each in fields(cls)})

    def profile(self, key_fingerprint: bytes) -> CipherProfile:
        """Return what the cipher-images of a key of these parameters claim.

        `key_fingerprint` has 16 bytes, or none for a model that serves any key.
        """
        return CipherProfile(**asdict(self), key_fingerprint=key_fingerprint)

    @property
    def blknum(self) -> int:
        """Number of blocks in one image, the same for both orientations."""
        return (self.height // self.block_size) * (self.width // self.block_size)

    @property
    def image_bytes(self) -> int:
        """Number of bytes in the pixels of one image."""
        return self.height * self.width * CHANNELS

    def shape_matches(self, height: int, width: int) -> bool:
        """Return whether an image of height x width is a prepared landscape or portrait."""
        return (height, width) in {(self.height, self.width), (self.width, self.height)}

    def differences(self, other: "CipherParameters") -> list[str]:
        """Return one phrase such as "block_size 8 is not 16" for every field that differs."""
        return [
            f"{field} {getattr(self, field)} is not {getattr(other, field)}"
            for field in self.__dataclass_fields__
            if getattr(self, field) != getattr(other, field)
        ]


def _check_version(field: str, value: int, supported: int) -> None:
    """Raise unless value is the one version that this package speaks."""
    _check_range(field, value, supported, supported)


def _check_range(field: str, value: int, low: int, high: int) -> None:
    """Raise unless value is an int of low to high, both included."""
    if type(value) is not int:
        raise TypeError(f"{field} must be an int, got {type(value).__name__}")
    if not low <= value <= high:
        limit = str(low) if low == high else f"{low} to {high}"
        raise ValueError(f"{field} must be {limit}, got {value}")


def _scope(value: object) -> Scope:
    """Return the scope that value names."""
    try:
        return Scope(str(value))
    except ValueError:
        choices = " or ".join(scope.value for scope in Scope)
        raise ValueError(f"scope must be {choices}, got {value!r}") from None
