"""What long runs have done so far, in a file: `CIPHERLENS_CRASH_OUT` names it."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.server.durability.life import Life

_VARIABLE = "CIPHERLENS_CRASH_OUT"


@contextmanager
def recorded(what: str, seed: int, life: Life) -> Iterator[None]:
    """Add what becomes of a life in the block to the file, if there is to be one.

    what: "kills" or "power cuts".
    """
    findings: list[str] = []
    try:
        yield
    except BaseException as error:
        findings.append("\n".join([*getattr(error, "__notes__", []), str(error)]))
        raise
    finally:
        if out := os.environ.get(_VARIABLE):
            _add(Path(out), what, seed, life, findings)


def _add(path: Path, what: str, seed: int, life: Life, findings: list[str]) -> None:
    document = json.loads(path.read_text()) if path.exists() else {}
    before = document.get(what, {})
    document["date"] = f"{datetime.now(UTC):%Y-%m-%d}"
    document[what] = {
        "rounds": before.get("rounds", 0) + life.aimed.total(),
        "seeds": [*before.get("seeds", []), seed],
        "findings": [*before.get("findings", []), *findings],
        "aimed": _added(before.get("aimed", {}), life.aimed),
        "under_way": _added(before.get("under_way", {}), life.killed),
        "came_about": _added(before.get("came_about", {}), life.came_about),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


def _added(before: dict[str, int], more: Counter[str]) -> dict[str, int]:
    return dict(sorted((Counter(before) + more).items()))
