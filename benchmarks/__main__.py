"""The door: `python -m benchmarks NAME [--profile quick|full]`."""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import environment

RESULTS = Path(__file__).parent / "results"
# Each has run(profile) -> {"results": {case: {figure: value}}, ...}, JSON-able.
NAMES = {
    "encryption": "images encrypted per second, both scopes",
    "index-search": "one query through our indexes against bare FAISS",
    "rpc-search": "one query through the server against an empty call with the same answer",
    "restart": "seconds from the start of a server process to its first answer",
    "demo-seeds": "the demo's mAP on cipher-images and on plain ones, five seeds",
}


def main() -> int:
    """Run one benchmark, keep its raw figures and print its table."""
    arguments = _arguments()
    module = importlib.import_module(f"benchmarks.{arguments.name.replace('-', '_')}")
    started = time.time()
    measured = module.run(arguments.profile)
    document = {
        "benchmark": arguments.name,
        "about": NAMES[arguments.name],
        **environment(),
        "duration_s": round(time.time() - started, 1),
        **measured,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{arguments.name}-{arguments.profile}.json"
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(table(arguments.name, measured["results"]))
    print(f"\nraw figures: {path}")
    return 0


def table(name: str, results: dict[str, dict[str, Any]]) -> str:
    """Return a Markdown table with a row for each case."""
    columns = list(dict.fromkeys(name for figures in results.values() for name in figures))
    head = [f"| {name} | {' | '.join(columns)} |", f"|---{'|---:' * len(columns)}|"]
    rows = [
        f"| {case} | {' | '.join(str(figures.get(column, '')) for column in columns)} |"
        for case, figures in results.items()
    ]
    return "\n".join(head + rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, keep the raw figures in benchmarks/results and print a table.",
        epilog="\n".join(f"  {name:14} {about}" for name, about in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=NAMES, metavar="NAME", help="one of the names below")
    parser.add_argument("--profile", choices=("quick", "full"), default="quick")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
