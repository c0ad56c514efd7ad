"""What a guess of a passphrase costs."""

from dataclasses import dataclass

_MAX_MEMORY = 512 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class ScryptCost:
    """What one guess of a passphrase costs (RFC 7914).

    Bounded on both sides: a careless caller must not make guessing cheap, and a hostile file must
    not make reading it exhaust the machine.

    Attributes:
        n: power of two, 2^14 to 2^20.
        r: block size factor, 8 to 32; memory is 128 * n * r bytes, at most 512 MiB.
        p: parallelisation, 1 to 4.
    """

    n: int = 2**17
    r: int = 8
    p: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for a cost out of its bounds."""
        for field, low, high in (("n", 2**14, 2**20), ("r", 8, 32), ("p", 1, 4)):
            value = getattr(self, field)
            if type(value) is not int:
                raise TypeError(f"scrypt {field} must be an int, got {type(value).__name__}")
            if not low <= value <= high:
                raise ValueError(f"scrypt {field} must be {low} to {high}, got {value}")
        if self.n & (self.n - 1):
            raise ValueError(f"scrypt n must be a power of two, got {self.n}")
        memory = 128 * self.n * self.r
        if memory > _MAX_MEMORY:
            raise ValueError(f"scrypt memory must be at most {_MAX_MEMORY} bytes, got {memory}")


DEFAULT_SCRYPT_COST = ScryptCost()
