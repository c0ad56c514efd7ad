"""Images that wait for a network in the order they came, up to a bound."""

from collections import deque

from cipherlens.server.embedding.asked import Asked
from cipherlens.server.errors import QueueFull

Image = tuple[Asked, int]
"""What a call asks, and which of its images."""


class Lane:
    """A bounded line; its owner's lock guards it."""

    def __init__(self, max_waiting: int, what: str) -> None:
        """Take the bound, in images, and what they are, for the refusal."""
        self._max_waiting = max_waiting
        self._what = what
        self._waiting: deque[Image] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, asked: Asked) -> None:
        """Put the images of a call at the end. Raises QueueFull if they do not all fit."""
        count = len(self._waiting) + len(asked.images)
        if count > self._max_waiting:
            raise QueueFull(
                f"{len(self._waiting)} {self._what} wait for the model and {len(asked.images)} "
                f"more do not fit (limit {self._max_waiting})",
                {"limit": str(self._max_waiting), "value": str(count)},
            )
        self._waiting.extend((asked, position) for position in range(len(asked.images)))

    def leave(self, asked: Asked) -> None:
        """Take out what is left of a call."""
        self._waiting = deque(each for each in self._waiting if each[0] is not asked)

    def take(self, count: int) -> list[Image]:
        """Take at most count images of the first one's shape; the others keep their order."""
        shape = _shape(self._waiting[0])
        taken: list[Image] = []
        passed: list[Image] = []
        while self._waiting and len(taken) < count:
            each = self._waiting.popleft()
            (taken if _shape(each) == shape else passed).append(each)
        self._waiting.extendleft(reversed(passed))
        return taken


def _shape(image: Image) -> tuple[int, ...]:
    asked, position = image
    return asked.images[position].shape
