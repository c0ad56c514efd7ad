"""Processor time of a process and all that it started, from the kernel's own account."""

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the processor seconds of a process, its children, and those that have ended."""
    while True:
        try:
            descendants = sum(_times(each)[0] for each in _descendants(pid))
        except (FileNotFoundError, ProcessLookupError):
            continue  # one has ended meanwhile, and its time belongs to its parent's account now
        own, ended = _times(pid)
        return own + ended + descendants


def _times(pid: int) -> tuple[float, float]:
    """Return the processor time of a process, and of its children that have ended."""
    # The program's name, in brackets, may hold blanks; what follows it is plain.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, ended_user, ended_system = map(int, fields[11:15])
    return (user + system) * _TICK_S, (ended_user + ended_system) * _TICK_S


def _descendants(pid: int) -> list[int]:
    children = [
        int(child)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children")
        for child in tasks.read_text().split()
    ]
    return children + [each for child in children for each in _descendants(child)]
