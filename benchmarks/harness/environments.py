"""Environments of their own for what we compare with: its packages must not meet ours."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.places import ENVIRONMENTS
from benchmarks.harness.progress import say


class NotInstalled(Exception):
    """Packages that could not be installed; the text says which and why."""


def python_with(name: str, packages: Sequence[str], folder: Path = ENVIRONMENTS) -> Path:
    """Return the Python of the environment of a name, made anew unless it has these packages.

    Raises:
        NotInstalled: the packages cannot be had here.
    """
    home = folder / name
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = "\n".join(packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    say(f"making {home} with {', '.join(packages)}")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", "--clear", str(home)], [*install, *packages]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotInstalled(f"{', '.join(packages)}: {done.stderr.strip()[-500:]}")
    stamp.write_text(wanted)
    return python
