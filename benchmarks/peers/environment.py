"""Environments of the peers: each has its own packages, under build/peers, made once."""

import subprocess
import sys
from pathlib import Path

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.places import ROOT
from benchmarks.harness.progress import say

PEERS = ROOT / "build" / "peers"
_BASE = ("numpy>=1.26",)
_INSTALL_LIMIT_S = 900


def interpreter(name: str, requirements: tuple[str, ...]) -> Path:
    """Return the Python that has a peer's packages; install them where they are not yet.

    A peer that needs none runs with this one.

    Raises NotHereError with the last words of pip if they cannot be installed.
    """
    if not requirements:
        return Path(sys.executable)
    folder = PEERS / name
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join((*_BASE, *requirements)) + "\n"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"{name}: installing {', '.join(requirements)} into {folder.relative_to(ROOT)}")
    _run(name, [sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(name, [*pip, *_BASE, *requirements])
    stamp.write_text(wanted)
    return python


def _run(name: str, command: list[str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_INSTALL_LIMIT_S
        )
    except subprocess.CalledProcessError as error:
        words = error.stderr.strip().splitlines() or ["nothing was said"]
        raise NotHereError(f"{name} cannot be installed: {words[-1]}") from error
    except subprocess.TimeoutExpired as error:
        raise NotHereError(f"{name} was not installed within {_INSTALL_LIMIT_S} s") from error
