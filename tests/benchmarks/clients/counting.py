"""A load process that asks nobody, and says which queries it asked by."""

import sys

from benchmarks.clients.measures import alone, measure_as_told

asked: list[int] = []


def main() -> None:
    """Measure as told."""
    ways = {
        "count": alone(asked.append),
        "asked": lambda _: [asked[:3], asked.count(0)],
        "exit": lambda seconds: sys.exit(3) if seconds > 1 else 0,
    }
    measure_as_told(ways, {"version": 1})


if __name__ == "__main__":
    main()
