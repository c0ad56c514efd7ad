"""Files of what would be costly to make again: arrays by name, and a few facts.

A file is a prefix of 64 bytes (magic, version, size of the head, XXH3 of all other bytes), a head
in JSON, and the arrays, each at a multiple of 64 bytes. It is never trusted before its
checksum was looked at, and nothing in it is ever run.
"""

import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128

from cipherlens.base import make_folder, replace_file, sync_folder
from cipherlens.server.errors import DataDamaged
from cipherlens.server.storage.database import file_errors

_MAGIC = b"CLINDEX\n"
_VERSION = 1
_BEGINNING = struct.Struct("<8sII32x")
_CHECKSUM_BYTES = 16
_PREFIX_BYTES = _BEGINNING.size + _CHECKSUM_BYTES
_SUFFIX = ".index"
_PART = ".part"
# What reading a document and arrays that are laid out in another way may come to.
_OTHERWISE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a file holds. The arrays are its bytes, mapped into memory: they cannot be written."""

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]


class IndexFiles:
    """Files in a folder, by name; each is replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, made if absent."""
        self._folder = folder
        with file_errors():
            make_folder(folder, 0o700)

    def clear_away(self) -> None:
        """Remove what was never written in full; nobody writes at this moment."""
        with file_errors():
            for part in self._folder.glob(f".*{_PART}"):
                part.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Return the names of the files there are."""
        return [path.stem for path in self._folder.glob(f"*{_SUFFIX}")]

    def write(self, name: str, kept: Kept) -> None:
        """Put a file on disk, whole or not at all. Raises StorageFull, StorageUnavailable."""
        pieces = list(_pieces(kept))
        beginning = _BEGINNING.pack(_MAGIC, _VERSION, len(pieces[0]))
        checksum = _checksum(beginning, *pieces)
        with file_errors():
            replace_file(self._path(name), beginning, checksum, *pieces)

    def read(self, name: str) -> Kept | None:
        """Return what a file holds, None if there is none. Raises DataDamaged."""
        return read_kept(self._path(name))

    def stamp(self, name: str) -> object:
        """Return what tells the file of that name from others before and after; None if none."""
        try:
            found = self._path(name).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def remove(self, name: str) -> None:
        """Remove a file, if it is there, for good; what was read of it stays valid."""
        with file_errors(), suppress(FileNotFoundError):
            self._path(name).unlink()
            sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def kept_files(folder: Path) -> list[Path]:
    """Return the files that a folder holds, and change nothing there."""
    return sorted(folder.glob(f"*{_SUFFIX}"))


def read_kept(path: Path) -> Kept | None:
    """Return what a file holds, None if there is none. Raises DataDamaged."""
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # mmap's of an empty file
        raise DataDamaged(f"the index file {path.stem} cannot be read: {error}") from error
    try:
        return _kept(memoryview(data))
    except _Unsound as error:
        raise DataDamaged(f"the index file {path.stem} {error}") from error
    except _OTHERWISE as error:  # another program's, perhaps, with a checksum that fits
        raise DataDamaged(f"the index file {path.stem} is not laid out as ours") from error


class _Unsound(Exception):
    """A file is not as it was written."""


def _pieces(kept: Kept) -> Iterator[memoryview]:
    """Yield what stands behind the prefix: the head, then each array, all of whole 64 bytes."""
    arrays = {name: np.ascontiguousarray(each) for name, each in kept.arrays.items()}
    head, offset = {}, 0
    for name, each in arrays.items():
        head[name] = [each.dtype.str, list(each.shape), offset]
        offset += _padded(each.nbytes)
    document = json.dumps({"facts": dict(kept.facts), "arrays": head}).encode()
    yield memoryview(document.ljust(_padded(len(document))))
    for each in arrays.values():
        yield each.reshape(-1).view(np.uint8).data
        yield memoryview(bytes(_padded(each.nbytes) - each.nbytes))


def _padded(size: int) -> int:
    """Return how many bytes a piece takes: whole lines of 64, at which any array may begin."""
    return -(-size // 64) * 64


def _checksum(*pieces: bytes | memoryview) -> bytes:
    hasher = xxh3_128()
    for each in pieces:
        hasher.update(each)
    return hasher.digest()


def _kept(data: memoryview) -> Kept:
    if len(data) < _PREFIX_BYTES:
        raise _Unsound("is cut off")
    beginning, rest = data[: _BEGINNING.size], data[_PREFIX_BYTES:]
    magic, version, head_size = _BEGINNING.unpack(beginning)
    if (magic, version) != (_MAGIC, _VERSION):
        raise _Unsound(f"is not of version {_VERSION}")
    if _checksum(beginning, rest) != data[_BEGINNING.size : _PREFIX_BYTES]:
        raise _Unsound("does not agree with its checksum")
    head = json.loads(bytes(rest[:head_size]))
    body = rest[head_size:]
    arrays = {name: _array(body, *place) for name, place in head["arrays"].items()}
    return Kept(head["facts"], arrays)


def _array(body: memoryview, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    count = int(np.prod(shape))
    return np.frombuffer(body, dtype, count, offset).reshape(shape)
