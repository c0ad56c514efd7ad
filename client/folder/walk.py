"""The picture files below a folder, each with the name that its path makes."""

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PICTURE_SUFFIXES = frozenset(
    {
        ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
        ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A file that was passed over, by its path within the folder, and why."""

    name: str
    reason: str


# What no text has: control characters, halves of letters, ends of lines and paragraphs. All else is
# somebody's name: macOS writes narrow spaces into those of screenshots, and emoji are joined.
_NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureFile:
    """A file to index.

    `name` is its path within the folder, with forward slashes, in Unicode's form NFC: the same
    name is written in several ways, by macOS in another than by all else. `changed_ns` is when its
    content was last changed, in nanoseconds since 1970.
    """

    path: Path
    name: str
    size_bytes: int
    changed_ns: int


class Walk:
    """The files of a folder, found once.

    Attributes:
        files: the picture files, in the order of their names.
        skipped: what is no picture file, or cannot be named or read.
        complete: False if some folder could not be read: what is in it is not known.
    """

    def __init__(self, folder: Path, max_name_bytes: int) -> None:
        """Walk the folder; hidden files and folders are passed over without a word.

        Raises:
            NotADirectoryError: folder is none.
        """
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is not a folder")
        self._folder = folder
        self._max_name_bytes = max_name_bytes
        self._names: set[str] = set()  # of all files and of what is passed over
        self.files: list[PictureFile] = []
        self.skipped: list[Skipped] = []
        self.complete = True
        for path in self._paths():
            self._sort_in(path)

    def covers(self, name: str) -> bool:
        """Return whether a name is that of something here, or might be inside of what is not known.

        A folder that is a link now is passed over; what it held before has not vanished for that.
        """
        parents = (str(parent) for parent in PurePosixPath(name).parents)
        return name in self._names or any(parent in self._names for parent in parents)

    def _paths(self) -> Iterator[Path]:
        """Yield everything in the folder but folders."""
        for root, folders, names in os.walk(self._folder, onerror=self._note_unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            links = [name for name in folders if Path(root, name).is_symlink()]
            for name in sorted([*names, *links]):
                if not name.startswith("."):
                    yield Path(root, name)

    def _note_unreadable(self, error: OSError) -> None:
        """Note that a folder cannot be read: what is in it is not known."""
        self.complete = False
        self._skip(Path(error.filename), f"cannot be read: {error.strerror}")

    def _sort_in(self, path: Path) -> None:
        """Put a path among the picture files or the skipped."""
        try:
            status = path.stat()
        except OSError as error:
            self._skip(path, f"cannot be read: {error.strerror}")
            return
        if stat.S_ISDIR(status.st_mode):
            self._skip(path, "is a link to a folder, which is not followed")
        elif not stat.S_ISREG(status.st_mode):
            self._skip(path, "is not a regular file")
        elif path.suffix.lower() not in PICTURE_SUFFIXES:
            self._skip(path, "is not a picture file by its name")
        else:
            self._take(path, status)

    def _take(self, path: Path, status: os.stat_result) -> None:
        """Keep a picture file, if the server takes its name."""
        name = self._name(path)
        if problem := problem_of_name(name, self._max_name_bytes):
            self._skip(path, problem)
        elif name in self._names:
            self._skip(path, "has the name of another file, written in other letters of Unicode")
        else:
            self._names.add(name)
            self.files.append(
                PictureFile(
                    path=path,
                    name=name,
                    size_bytes=status.st_size,
                    changed_ns=status.st_mtime_ns,
                )
            )

    def _skip(self, path: Path, reason: str) -> None:
        """Keep a path that is passed over, under a name that can be printed."""
        name = self._name(path)
        self._names.add(name)
        shown = name if _is_text(name) else ascii(name)
        self.skipped.append(Skipped(name=shown, reason=reason))

    def _name(self, path: Path) -> str:
        """Return the path of something within the folder, in form NFC."""
        return unicodedata.normalize("NFC", path.relative_to(self._folder).as_posix())


def problem_of_name(name: str, max_bytes: int) -> str:
    """Return why no item can have a name; nothing if one can."""
    size = len(name.encode(errors="surrogateescape"))
    if not _is_text(name):
        return "has a name that is not UTF-8, or holds control characters"
    return f"has a path of {size} bytes, the limit is {max_bytes}" if size > max_bytes else ""


def _is_text(name: str) -> bool:
    """Return whether a name is made of letters that a text may have."""
    return name.isprintable() or _NO_TEXT.isdisjoint(map(unicodedata.category, name))
