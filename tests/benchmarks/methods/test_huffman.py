import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.methods.encrypted_jpeg import coefficients, compressed
from benchmarks.methods.huffman import (
    AC_CODES,
    ac_counts,
    dc_counts,
    dc_differences,
    lengths,
    masked,
)

END, SIXTEEN = 160, 161


def test_lengths() -> None:
    values = np.array([0, 1, -1, 2, -3, 4, 7, 8, -1023, 1024, 2047])
    assert lengths(values).tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 10, 11, 11]


@given(st.integers(-2047, 2047), st.integers(0, 2**16 - 1))
def test_a_mask_keeps_the_length_and_is_undone_by_itself(value: int, word: int) -> None:
    held, words = np.array([value]), np.array([word])
    hidden = masked(held, words)
    assert lengths(hidden) == lengths(held)
    assert masked(hidden, words) == value


def test_masks_reach_every_value_of_a_length() -> None:
    found = masked(np.full(8, 5), np.arange(8))
    assert sorted(found) == [-7, -6, -5, -4, 4, 5, 6, 7]


def test_codes_of_a_block_written_by_hand() -> None:
    held = np.zeros((1, 3, 2, 64), np.int16)
    held[0, 0, :, 0] = 5, 4
    held[0, 0, 0, [1, 3, 22]] = 1, -3, 9  # no zero; one; 18 of them, so that 16 have a code
    held[0, 0, 1, 63] = 1  # 62 zeros: three times 16, and 14; no end of the block
    assert dc_counts(held)[0, 0].tolist() == [0, 1, 0, 1, *[0] * 8]
    found = ac_counts(held)[0]
    expected = np.zeros((3, AC_CODES), int)
    expected[0, [0 * 10 + 0, 1 * 10 + 1, 2 * 10 + 3, 14 * 10 + 0]] = 1
    expected[0, SIXTEEN], expected[:, END] = 4, (1, 2, 2)
    assert (found == expected).all()


def test_the_codes_are_as_long_as_the_file(pixels) -> None:
    """The bits of all codes, by the file's own Huffman tables, fill its entropy-coded segment."""
    files = compressed(pixels, 75)
    held = coefficients(files)
    for picture, file in enumerate(files):
        tables = _code_lengths(file)
        bits = 0
        for component, table in enumerate((0, 1, 1)):
            dc = dc_counts(held)[picture, component]
            bits += sum(
                count * (tables[0, table].get(size, 0) + size) for size, count in enumerate(dc)
            )
            ac = ac_counts(held)[picture, component]
            codes = [(run, size) for run in range(16) for size in range(1, 11)] + [(0, 0), (15, 0)]
            bits += sum(
                count * (tables[1, table][16 * run + size] + size)
                for (run, size), count in zip(codes, ac, strict=True)
            )
        assert -(-bits // 8) == len(_scan(file))


def test_differences_are_along_a_component() -> None:
    held = np.zeros((1, 3, 3, 64), np.int16)
    held[0, :, :, 0] = [[3, 5, 1], [0, 0, 7], [-1, -1, -1]]
    assert dc_differences(held)[0].tolist() == [[3, 2, -4], [0, 0, 7], [-1, 0, 0]]


def _segments(file: bytes):
    place = 2
    while file[place + 1] != 0xDA:
        size = int.from_bytes(file[place + 2 : place + 4], "big")
        yield file[place + 1], file[place + 4 : place + 2 + size]
        place += 2 + size


def _code_lengths(file: bytes) -> dict[tuple[int, int], dict[int, int]]:
    """Return {(class, table): {symbol: bits}} of the file's Huffman tables."""
    tables = {}
    held = b"".join(held for marker, held in _segments(file) if marker == 0xC4)
    while held:
        counts, symbols = held[1:17], iter(held[17:])
        tables[held[0] >> 4, held[0] & 15] = {
            next(symbols): bits for bits, count in enumerate(counts, 1) for _ in range(count)
        }
        held = held[17 + sum(counts) :]
    return tables


def _scan(file: bytes) -> bytes:
    start = file.index(b"\xff\xda")
    start += 2 + int.from_bytes(file[start + 2 : start + 4], "big")
    return file[start:-2].replace(b"\xff\x00", b"\xff")
