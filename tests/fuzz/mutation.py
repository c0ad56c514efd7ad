"""Changes of bytes, JSON documents and texts, each drawn from a seeded generator."""

import json
import struct
from collections.abc import Callable
from random import Random

EDGES = (0, 1, 2, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**53)
EDGES += (2**63 - 1, 2**63, 2**64 - 1)
"""Whole numbers at which something often ends."""

HOSTILE_TEXTS = (
    "", " ", ".", "..", "../../etc/passwd", "/etc/passwd", "a/../../b", "a//b", "a\\..\\b", "C:\\x",
    "\\\\host\\share", "CON", "nul.png", "COM1.txt", "aux", "a.", "a ", "a:b", "-rf", "--help",
    "a\0b", "a\nb", "a\rb", "\x1b[31mred", "\x7f", "\x85", "\u202egnp.exe", "\u2066a\u2069",
    "\u200b", "\ufeffa", "e\u0301", "\u00e9", "\U0001f600" * 40, "\U0010ffff", "\u2028",
    "x" * 255, "x" * 4096, "%s%n", "{0}", "{{7*7}}", "<script>", "'; DROP TABLE items; --",
    "NaN", "1e999", "0x10", "true", "null", "\uff0e\uff0e/",
)  # fmt: skip
"""Texts that names, ids and numbers of strangers may be."""

_PACKED = ("<B", "<H", "<I", "<Q", ">I", "<f")


def mutated_bytes(data: bytes, rng: Random) -> bytes:
    """Return data with one to four small changes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choice(_EDITS)(changed, rng)
    return bytes(changed)


def _flip(data: bytearray, rng: Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _put(data: bytearray, rng: Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _cut(data: bytearray, rng: Random) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 1, 2, 4, 16, len(data)))]


def _insert(data: bytearray, rng: Random) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = rng.randbytes(rng.choice((1, 1, 2, 4, 16)))


def _repeat(data: bytearray, rng: Random) -> None:
    start = rng.randrange(len(data) + 1)
    piece = data[start : start + rng.choice((1, 4, 16, 64))]
    data[start:start] = piece * rng.choice((1, 1, 2, 16))


def _number(data: bytearray, rng: Random) -> None:
    """Write an edge over what stands somewhere, as numbers of some length are written."""
    kind = rng.choice(_PACKED)
    size = struct.calcsize(kind)
    value = rng.choice(EDGES)
    packed = struct.pack(kind, float(value) if kind == "<f" else value % 2 ** (8 * size))
    start = rng.randrange(max(1, len(data) - size + 1))
    data[start : start + size] = packed


_EDITS = (_flip, _flip, _put, _put, _cut, _insert, _repeat, _number, _number)


def mutated_text(text: str, rng: Random) -> str:
    """Return another text: a hostile one, or this one changed."""
    if rng.random() < 0.4:
        return rng.choice(HOSTILE_TEXTS)
    if rng.random() < 0.3:
        place = rng.randrange(len(text) + 1)
        return text[:place] + rng.choice(HOSTILE_TEXTS) + text[place:]
    return mutated_bytes(text.encode(errors="surrogatepass"), rng).decode(errors="replace")


def mutated_json(document: object, rng: Random) -> object:
    """Return a copy of a JSON document with one or two changes, of values or of members."""
    changed = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 2))):
        changed = _changed(changed, rng)
    return changed


def _changed(node: object, rng: Random) -> object:
    if isinstance(node, dict) and node and rng.random() < 0.85:
        _change_member(node, rng)
        return node
    if isinstance(node, list) and node and rng.random() < 0.85:
        place = rng.randrange(len(node))
        if rng.random() < 0.2:
            node.insert(place, node[place])
        elif rng.random() < 0.1:
            del node[place]
        else:
            node[place] = _changed(node[place], rng)
        return node
    return _value_like(node, rng)


def _change_member(node: dict[str, object], rng: Random) -> None:
    name = rng.choice(list(node))
    draw = rng.random()
    if draw < 0.08:
        del node[name]
    elif draw < 0.16:
        node[mutated_text(name, rng)] = node[name]
    elif draw < 0.2:
        node[rng.choice(list(node))] = node[name]
    else:
        node[name] = _changed(node[name], rng)


def _value_like(value: object, rng: Random) -> object:
    """Return a value in place of another: mostly of its type."""
    if isinstance(value, str) and rng.random() < 0.7:
        return rng.choice(("\ud800", mutated_text(value, rng), mutated_text(value, rng)))
    if isinstance(value, bool) or rng.random() < 0.3:
        return rng.choice(_OTHERS)(rng)
    if isinstance(value, int):
        return rng.choice((value + 1, value - 1, -value, 2 * value, rng.choice(EDGES)))
    if isinstance(value, float):
        return rng.choice((-value, value * 1e300, 0.0, float("nan"), float("inf")))
    return rng.choice(_OTHERS)(rng)


_OTHERS: tuple[Callable[[Random], object], ...] = (
    lambda _: None,
    lambda _: True,
    lambda rng: rng.choice(EDGES),
    lambda rng: rng.choice((1e308, float("nan"), float("-inf"), -0.0, 10**30)),
    lambda rng: rng.choice(HOSTILE_TEXTS),
    lambda _: [],
    lambda _: {},
    lambda _: [[]],
    lambda rng: {rng.choice(HOSTILE_TEXTS): 1},
    lambda _: "\ud800",
)


def mutating_json(
    read: Callable[[bytes], object], written: Callable[[object, Random], bytes]
) -> Callable[[bytes, Random], bytes]:
    """Return what changes a JSON document within bytes, now and then the bytes alone.

    read: the document, ValueError if there is none.
    written: bytes of a document; they may have a checksum that fits.
    """

    def mutate(data: bytes, rng: Random) -> bytes:
        if rng.random() < 0.15:
            return mutated_bytes(data, rng)
        try:
            document = read(data)
        except (ValueError, LookupError, RecursionError):
            return mutated_bytes(data, rng)
        return written(mutated_json(document, rng), rng)

    return mutate
