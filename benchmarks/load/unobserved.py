"""Our server with nobody watching: calls have no request id, are not counted, timed or logged.

There is no setting for that: it is what watching is measured against.
"""

import sys
from collections.abc import Sequence
from typing import Any

from cipherlens.client.cli import main
from cipherlens.server import app
from cipherlens.server.transport.guard import Guard


def _guard(*arguments: Any, observer: object) -> Guard:  # noqa: ARG001 - it is told nothing
    return Guard(*arguments)


def command() -> Sequence[str]:
    """Return the program in place of `cipherlens`."""
    return [sys.executable, "-m", __name__]


if __name__ == "__main__":
    setattr(app, "WatchedGuard", _guard)  # noqa: B010 - it is no public name
    sys.exit(main(sys.argv[1:]))
