"""`-` in the place of a file: standard input, or standard output."""

import sys
from collections.abc import Sequence
from pathlib import Path

from cipherlens.client.cli.failure import USAGE, CommandError

STREAM = Path("-")
NAME = "stdin"
"""What a file is called that came from standard input."""


def read_input(max_bytes: int) -> bytes:
    """Return all of standard input. Raises CommandError if there is more than so much, or none."""
    data = sys.stdin.buffer.read(max_bytes + 1)
    if not data:
        raise CommandError("standard input has nothing")
    if len(data) > max_bytes:
        raise CommandError(f"standard input has more than {max_bytes:,} bytes, the limit")
    return data


def check_output(out: Path, files: Sequence[object], *, as_json: bool) -> None:
    """Return if what is made of the files can go where it shall go.

    Raises:
        CommandError: it is standard output, and they are several, it is a terminal, or has JSON.
    """
    if out != STREAM:
        return
    if len(files) != 1:
        raise CommandError("--out - takes one file at a time", exit_code=USAGE)
    if as_json:
        raise CommandError("--out - and --json would be mixed", exit_code=USAGE)
    if sys.stdout.isatty():
        raise CommandError("--out - would write to the terminal: redirect it", exit_code=USAGE)


def write_output(data: bytes) -> None:
    """Write bytes to standard output."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
