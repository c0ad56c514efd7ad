"""What a check has found."""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cipherlens.base import others_reach


class Grade(StrEnum):
    """OK: as it should be. NOTE: to be known. WARNING: bites later. PROBLEM: does not work."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: its grade, what was seen, and what to do about it, if anything."""

    name: str
    grade: Grade
    seen: str
    advice: str = ""


def ok(name: str, seen: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(name, Grade.OK, seen)


def note(name: str, seen: str, advice: str = "") -> Finding:
    """Return something that is worth knowing."""
    return Finding(name, Grade.NOTE, seen, advice)


def warning(name: str, seen: str, advice: str) -> Finding:
    """Return something that will bite later."""
    return Finding(name, Grade.WARNING, seen, advice)


def problem(name: str, seen: str, advice: str) -> Finding:
    """Return something that does not work."""
    return Finding(name, Grade.PROBLEM, seen, advice)


def privacy(name: str, path: Path) -> Finding:
    """Return whether a file or folder is this user's and nobody else's."""
    status = path.stat()
    if hasattr(os, "geteuid") and status.st_uid not in {os.geteuid(), 0}:
        return warning(name, f"{path} belongs to user {status.st_uid}", "run as that user")
    if others_reach(status):
        mode = 700 if path.is_dir() else 600
        seen = f"{path} has mode {status.st_mode & 0o777:04o}: others reach it"
        return problem(name, seen, f"chmod {mode} {path}")
    return ok(name, f"{path} is this user's alone")
