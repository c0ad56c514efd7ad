from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cipherlens.client.folder.watching import changes


class Steps:
    """What happens while the watch waits, in turn; then it is interrupted."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        self.left = list(happens)
        self.waited: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        if not self.left:
            raise KeyboardInterrupt
        self.left.pop(0)()


def nothing() -> None:
    """A wait in which nothing happens."""


def told(folder: Path, steps: Steps) -> int:
    """Return how often a watch says that the folder has changed, the first time included."""
    count = 0
    with suppress(KeyboardInterrupt):
        for _ in changes(folder, 3, wait=steps.wait):
            count += 1
    return count


def test_an_unchanged_folder_is_told_once(folder: Path) -> None:
    steps = Steps(nothing, nothing)
    assert told(folder, steps) == 1
    assert steps.waited == [3, 3, 3]


def test_a_file_is_waited_for_until_it_has_come(folder: Path) -> None:
    new = folder / "deep" / "new.png"

    def grow() -> None:
        with new.open("ab") as file:
            file.write(b"more")

    assert told(folder, Steps(grow, grow, grow)) == 1
    assert told(folder, Steps(grow, grow, nothing, nothing)) == 2


def test_one_that_goes_and_comes_back_is_no_change(folder: Path, tmp_path: Path) -> None:
    away = tmp_path / "a.png"
    steps = Steps(
        lambda: (folder / "a.png").rename(away), lambda: away.rename(folder / "a.png"), nothing
    )
    assert told(folder, steps) == 1


def test_what_is_no_picture_is_no_change(folder: Path) -> None:
    assert told(folder, Steps(lambda: (folder / "notes.txt").write_text("x"), nothing)) == 1
    assert told(folder, Steps((folder / "a.png").unlink, nothing)) == 2


def test_a_folder_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        next(changes(tmp_path / "nowhere", 1))
