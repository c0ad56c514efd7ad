"""Fuzz targets one after the other, each in a process of its own, and keep count.

    python -m tests.fuzz [--seconds 60] [--results FILE] [TARGET...]

What an earlier run has found interesting is gone on from: it lies in build/fuzz/corpus. Inputs that
fail lie in build/fuzz/findings, and the exit code is then 1.
"""

import argparse
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.fuzz.registry import TARGETS

BUILD = Path("build/fuzz")
# An input that takes longer on the clock, or memory beyond it, is a finding; the driver itself
# looks at the processor's time.
_INPUT_S = 1200
_MEMORY_MIB = 4096
_LAST = re.compile(r"^#(\d+)\s+\w+ +cov: (\d+) ft: (\d+) corp: (\d+)", re.MULTILINE)


def main() -> int:
    """Return the exit code: 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--results", type=Path, default=BUILD / "fuzz.json", help="of all runs")
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"there is no target {', '.join(sorted(unknown))}")
    found = False
    for name in asked.targets or TARGETS:
        ran = fuzzed(name, asked.seconds)
        record(asked.results, name, ran)
        print(f"{name:20} {ran['inputs']:>10,} inputs, {ran['findings'] or 'nothing found'}")
        found = found or bool(ran["findings"])
    return int(found)


def fuzzed(name: str, seconds: int) -> dict[str, object]:
    """Fuzz one target for so long and return what came of it."""
    corpus, findings = BUILD / "corpus" / name, BUILD / "findings" / name
    for each in (corpus, findings):
        each.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    command = [sys.executable, "-m", "tests.fuzz.coverage", name, findings]
    command += [
        f"-max_total_time={seconds}",
        f"-timeout={_INPUT_S}",
        f"-report_slow_units={_INPUT_S}",
    ]
    command += [f"-rss_limit_mb={_MEMORY_MIB}", "-print_final_stats=1", corpus]
    log = BUILD / f"{name}.log"
    with log.open("wb") as output:
        began = datetime.now(UTC)
        code = subprocess.run(command, stdout=output, stderr=output, check=False).returncode
    found = {each.name for each in set(findings.iterdir()) - before if each.suffix != ".txt"}
    new = sorted(name for name in found if not name.startswith("slow-unit-"))
    if code and not new:
        new = [f"ended with {code}, see {log}"]
    counts = _LAST.findall(log.read_text(errors="replace"))
    inputs, edges, features, kept = map(int, counts[-1] if counts else (0, 0, 0, 0))
    return {
        "inputs": inputs,
        "seconds": round((datetime.now(UTC) - began).total_seconds()),
        "edges": edges,
        "features": features,
        "corpus": kept,
        "findings": new,
    }


def record(path: Path, name: str, ran: dict[str, object]) -> None:
    """Add a run to the file of results: inputs and seconds are summed up, coverage is the last."""
    kept = json.loads(path.read_text()) if path.exists() else {"targets": {}}
    before = kept["targets"].get(name, {"inputs": 0, "seconds": 0, "findings": []})
    sums = {each: before[each] + ran[each] for each in ("inputs", "seconds", "findings")}
    kept["targets"][name] = {**ran, **sums, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    kept["inputs"] = sum(each["inputs"] for each in kept["targets"].values())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
