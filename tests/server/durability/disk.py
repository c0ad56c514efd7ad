"""What a disk holds after a power cut: what was synced, and of the rest what chance has left.

A file keeps what it was when it was synced last; of what was written since, each sector of 512
bytes is there or not. A folder keeps the entries that it had when it was synced last, and the first
so many changes since, as a file system that keeps a log of them does. A file that has no entry is
gone, synced or not.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SECTOR_BYTES = 512


@dataclass(eq=False)
class File:
    """Bytes: those synced, and what was done since: writes, and changes of size (None)."""

    synced: bytes = b""
    changes: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """Put all on disk."""
        self.synced, self.changes = self.now(), []

    def now(self) -> bytes:
        """Return its bytes as programs see them."""
        return self._with(self.changes)

    def after_loss(self, rng: random.Random, share: float) -> bytes:
        """Return its bytes if about that share of the sectors not synced has come to the disk."""
        sectors = (part for change in self.changes for part in _sectors(*change))
        return self._with([each for each in sectors if rng.random() < share])

    def _with(self, changes: list[tuple[int, bytes | None]]) -> bytes:
        content = bytearray(self.synced)
        for offset, data in changes:
            if data is None:
                del content[offset:]
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data or b"")] = data or b""
        return bytes(content)


@dataclass(eq=False)
class Folder:
    """Entries: those synced, and the changes since, each of some names at once."""

    synced: "dict[str, File | Folder]" = field(default_factory=dict)
    changes: "list[dict[str, File | Folder | None]]" = field(default_factory=list)

    def sync(self) -> None:
        """Put all entries on disk."""
        self.synced, self.changes = self.now(), []

    def now(self) -> "dict[str, File | Folder]":
        """Return its entries as programs see them."""
        return self._with(self.changes)

    def after_loss(self, rng: random.Random, share: float) -> "dict[str, File | Folder]":
        """Return its entries if the first of the changes have come to the disk."""
        most = round(share * len(self.changes))
        return self._with(self.changes[: rng.randint(0, most)])

    def _with(self, changes: "list[dict[str, File | Folder | None]]") -> "dict[str, File | Folder]":
        entries: dict[str, File | Folder | None] = dict(self.synced)
        for change in changes:
            entries.update(change)
        return {name: each for name, each in entries.items() if each is not None}


class Disk:
    """A folder on a disk, from a moment on at which all of it was synced."""

    def __init__(self, folder: Path, *, folders_sync: bool = True) -> None:
        """Take what is there; without `folders_sync` a sync of a folder does nothing."""
        self._path, self._root = folder, _read(folder)
        self._folders_sync = folders_sync
        self._open: dict[int, File | Folder] = {}

    def replay(self, journal: bytes) -> None:
        """Do what a journal of `unsynced.c` says was done."""
        start = 0
        while start < len(journal):
            end = journal.index(b"\0", start)
            word, number, offset, size, path = journal[start:end].decode().split(" ", 4)
            start = journal.index(b"\0", end + 1) + 1
            other = journal[end + 1 : start - 1].decode()
            data = journal[start : start + int(size)] if word == "write" else b""
            start += len(data)
            self._do(word, int(number), int(offset), path, other or data)

    def now(self) -> dict[str, bytes]:
        """Return the files as programs see them, by their paths in the folder."""
        return dict(_files(self._root, lambda each: each.now()))

    def after_loss(self, rng: random.Random, share: float) -> dict[str, bytes]:
        """Return the files that a power cut leaves, by their paths in the folder."""
        return dict(_files(self._root, lambda each: each.after_loss(rng, share)))

    def _do(self, word: str, number: int, offset: int, path: str, more: "str | bytes") -> None:
        if word in ("create", "open", "empty"):
            self._open[number] = self._opened(word, path)
        elif word == "close":
            del self._open[number]
        elif word == "mkdir":
            self._change(path, Folder())
        elif word == "unlink":
            self._change(path, None)
        elif word == "rename":
            self._rename(path, str(more))
        elif word == "sync":
            self._sync(self._open[number])
        else:
            file = self._open[number]
            assert isinstance(file, File)
            file.changes.append((offset, None if word == "resize" else bytes(more)))

    def _opened(self, word: str, path: str) -> File | Folder:
        if word == "create":
            self._change(path, File())
        found = self._at(path)
        if word == "empty" and isinstance(found, File):
            found.changes.append((0, None))
        return found

    def _sync(self, each: File | Folder) -> None:
        if isinstance(each, File) or self._folders_sync:
            each.sync()

    def _rename(self, path: str, other: str) -> None:
        each = self._at(path)
        if Path(path).parent == Path(other).parent:  # both or neither
            self._parent(path).changes.append({Path(path).name: None, Path(other).name: each})
        else:
            self._change(other, each)
            self._change(path, None)

    def _change(self, path: str, each: File | Folder | None) -> None:
        self._parent(path).changes.append({Path(path).name: each})

    def _parent(self, path: str) -> Folder:
        found = self._at(str(Path(path).parent))
        assert isinstance(found, Folder)
        return found

    def _at(self, path: str) -> File | Folder:
        found: File | Folder = self._root
        for name in Path(path).relative_to(self._path).parts:
            assert isinstance(found, Folder)
            found = found.now()[name]
        return found


def put(folder: Path, files: dict[str, bytes]) -> None:
    """Have a folder hold these files and nothing else."""
    shutil.rmtree(folder)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def _read(folder: Path) -> Folder:
    return Folder(
        {
            path.name: _read(path) if path.is_dir() else File(path.read_bytes())
            for path in folder.iterdir()
        }
    )


def _files(
    folder: Folder, look: Callable[[Any], Any], prefix: str = ""
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a folder and those below, each looked at in that way."""
    for name, each in look(folder).items():
        if isinstance(each, Folder):
            yield from _files(each, look, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", look(each)


def _sectors(offset: int, data: bytes | None) -> Iterator[tuple[int, bytes | None]]:
    """Yield a change in pieces that come to the disk whole or not at all."""
    if data is None:
        yield offset, None
        return
    start = 0
    while start < len(data):
        size = _SECTOR_BYTES - (offset + start) % _SECTOR_BYTES
        yield offset + start, data[start : start + size]
        start += size
