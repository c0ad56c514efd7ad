"""Pictures known beside their cipher-images, under one key: the sequences follow from them.

The attacker holds k pictures with what a server has of them. Pixels keep their place inside a block
and tables are one to one, so a block's pattern of equal pixels, through all k pictures, names the
place that it came to. Blocks of equal patterns are told apart by their bytes, or by what the tables
of other blocks say of them. A picture that the attacker may choose has another pattern in every
block, and all values: then one is enough.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.leakage.blocks import (
    CHANNELS,
    Pixels,
    blocks_of,
    byte_marks,
    equality_marks,
    pictures_of,
)

LEVELS = 256
UNKNOWN = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What an attacker believes of a key's sequences.

    Attributes:
        origins: (blknum,); where the block at each place of a cipher-image came from. Blocks that
            no known picture tells apart are guessed.
        sure: (blknum,); which of them are no guesses.
        substituted: (blknum,); whether the colours at a place are substituted.
        tables: (3, 256); what each value becomes, -1 where no known picture shows it.
    """

    origins: NDArray[np.intp]
    sure: NDArray[np.bool_]
    substituted: NDArray[np.bool_]
    tables: NDArray[np.int16]


def learn(plain: Pixels, cipher: Pixels, block_size: int) -> Learned:
    """Return what (k, h, w, 3) pictures and their cipher-images tell of the key."""
    return _Pairing(_through_all(plain, block_size), _through_all(cipher, block_size)).solve()


def open_pictures(
    learned: Learned, cipher: Pixels, block_size: int
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Return cipher-images as the attacker opens them, and which bytes he has: others are grey."""
    blocks = blocks_of(cipher, block_size)
    inverse = _inverse(learned.tables)[np.arange(CHANNELS), blocks]
    values = np.where(learned.substituted[:, None, None], inverse, blocks)
    opened, known = np.empty_like(blocks), np.empty(blocks.shape, dtype=bool)
    opened[:, learned.origins] = np.where(values == UNKNOWN, 128, values)
    known[:, learned.origins] = values != UNKNOWN
    size = cipher.shape[1:3]
    return pictures_of(opened, *size), pictures_of(known, *size)


def chosen_picture(height: int, width: int, block_size: int) -> Pixels:
    """Return a (height, width, 3) picture whose cipher-image tells all sequences.

    1 + ceil(log2(number of blocks)) pixels of a block spell its number, by being equal to the first
    or not; the others run through the values.
    """
    blknum, size = height * width // block_size**2, block_size**2
    digits = (blknum - 1).bit_length()
    numbers = np.arange(blknum)[:, None]
    spelt = numbers >> np.arange(digits) & 1
    free = size - digits - 1
    running = (numbers * free + np.arange(free)) % LEVELS
    values = np.hstack([np.zeros_like(numbers), spelt, running]).astype(np.uint8)
    blocks = np.repeat(values[None, ..., None], CHANNELS, axis=3)
    chosen: Pixels = pictures_of(blocks, height, width)[0]
    return chosen


class _Pairing:
    """Blocks of known pictures, each to be paired with the place that it came to."""

    def __init__(self, plain: Pixels, cipher: Pixels) -> None:
        self.plain, self.cipher = plain, cipher  # (blknum, pixels, 3)
        self.origins = np.full(len(plain), UNKNOWN, dtype=np.intp)
        self.sure = np.zeros(len(plain), dtype=bool)
        self.tables = np.full((CHANNELS, LEVELS), UNKNOWN, dtype=np.int16)
        self.alike = byte_marks(plain)
        self.groups = _groups(equality_marks(plain), equality_marks(cipher))

    def solve(self) -> Learned:
        """Pair until nothing more follows, then guess the rest, within equal patterns if it can."""
        everything = np.arange(len(self.origins))
        known = -1
        while known < (known := self._pair()):
            self._read_tables()
        for sources, places in [*self.groups, (everything, everything)]:
            self._guess(sources, places)
        changed = (self.cipher != self.plain[self.origins]).any(axis=(1, 2))
        return Learned(
            origins=self.origins, sure=self.sure, substituted=changed, tables=self.tables
        )

    def _pair(self) -> int:
        """Pair each place whose block can be of one content only; return how many are paired."""
        for sources, places in self.groups:
            free = np.setdiff1d(sources, self.origins)
            for place in places[self.origins[places] == UNKNOWN]:
                fitting = free[self._fits(free, place)]
                contents = np.unique(self.alike[fitting])
                if len(contents) == 1 and len(fitting):
                    self.origins[place] = fitting[0]
                    self.sure[place] = (self.alike == contents).sum() == 1
                    free = free[free != fitting[0]]
        return int((self.origins != UNKNOWN).sum())

    def _fits(self, sources: NDArray[np.intp], place: int) -> NDArray[np.bool_]:
        """Return which blocks may have come to a place: unchanged, or by the tables so far."""
        blocks = self.plain[sources]
        unchanged = (blocks == self.cipher[place]).all(axis=(1, 2))
        back = _inverse(self.tables)[np.arange(CHANNELS), self.cipher[place]]
        open_still = (self.tables[np.arange(CHANNELS), blocks] == UNKNOWN) & (back == UNKNOWN)
        by_table = (open_still | (back == blocks)).all(axis=(1, 2))
        fitting: NDArray[np.bool_] = unchanged | by_table
        return fitting

    def _read_tables(self) -> None:
        paired = np.flatnonzero(self.origins != UNKNOWN)
        plain, cipher = self.plain[self.origins[paired]], self.cipher[paired]
        changed = (plain != cipher).any(axis=(1, 2))
        for channel in range(CHANNELS):
            values = plain[changed, :, channel]
            self.tables[channel, values] = cipher[changed, :, channel]

    def _guess(self, sources: NDArray[np.intp], places: NDArray[np.intp]) -> None:
        """Give what is left in any order, to places where it would be unchanged first."""
        free = list(np.setdiff1d(sources, self.origins))
        for place in places[self.origins[places] == UNKNOWN][: len(free)]:
            same = (self.plain[free] == self.cipher[place]).all(axis=(1, 2))
            self.origins[place] = free.pop(int(same.argmax()))


def _through_all(pictures: Pixels, block_size: int) -> Pixels:
    """Return every block with its pixels of all pictures, (blknum, k * P * P, 3)."""
    blocks = blocks_of(pictures, block_size)
    through: Pixels = blocks.transpose(1, 0, 2, 3).reshape(blocks.shape[1], -1, CHANNELS)
    return through


def _groups(
    sources: NDArray[np.uint64], places: NDArray[np.uint64]
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the blocks and the places of each pattern."""
    return [
        (np.flatnonzero(sources == mark), np.flatnonzero(places == mark))
        for mark in np.unique(sources)
    ]


def _inverse(tables: NDArray[np.int16]) -> NDArray[np.int16]:
    inverse = np.full_like(tables, UNKNOWN)
    for table, back in zip(tables, inverse, strict=True):
        values = np.flatnonzero(table != UNKNOWN)
        back[table[values]] = values
    return inverse
