"""What files were like when they were last found to be on the server: to pass them over unread."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from cipherlens.base import make_folder, read_regular, replace_file
from cipherlens.client.folder.walk import PictureFile

MAX_RECORD_BYTES = 512 * 2**20
"""The largest record that is read: some three million files."""

_SETTLED_NS = 2 * 10**9
"""A file that changed since may change again within the same tick of its file system's clock."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file's size, its time of change, and the owner tag that it was stored under."""

    size_bytes: int
    changed_ns: int
    owner_tag: bytes


class SeenFiles:
    """A record of files by name, for one collection and one way of storing them.

    It is no more than a hint: one that is missing, damaged or of another way knows no file, and all
    are read. Who can write to it can make a changed file look like an old one.
    """

    def __init__(self, path: Path, way: str) -> None:
        """Read the record, if there is one.

        Args:
            path: its file.
            way: what decides an owner tag beside name and content: another way, another tag.
        """
        self._path = path
        self._way = way
        self._files = _read(path, way)

    def owner_tag(self, file: PictureFile) -> bytes | None:
        """Return the tag that a file was stored under, None if it may have changed since."""
        seen = self._files.get(file.name)
        if seen is None or (seen.size_bytes, seen.changed_ns) != (file.size_bytes, file.changed_ns):
            return None
        return seen.owner_tag

    def note(self, file: PictureFile, owner_tag: bytes) -> None:
        """Note that a file, as the walk found it, is stored under a tag; threads may."""
        if time.time_ns() - file.changed_ns > _SETTLED_NS:
            self._files[file.name] = _Seen(file.size_bytes, file.changed_ns, owner_tag)

    def keep(self) -> None:
        """Write the record."""
        files = {
            name: [each.size_bytes, each.changed_ns, each.owner_tag.hex()]
            for name, each in dict(self._files).items()  # threads may still read
        }
        make_folder(self._path.parent, 0o700)
        replace_file(self._path, json.dumps({"way": self._way, "files": files}).encode())


def _read(path: Path, way: str) -> dict[str, _Seen]:
    try:
        document = json.loads(read_regular(path, MAX_RECORD_BYTES))
        if document["way"] != way:
            return {}
        return {
            name: _Seen(int(size), int(changed), bytes.fromhex(tag))
            for name, (size, changed, tag) in document["files"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
