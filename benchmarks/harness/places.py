"""Where a measurement finds its settings and leaves its figures."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "benchmarks" / "configs"
RESULTS = ROOT / "benchmarks" / "results"
NETWORKS = ROOT / "build" / "trained"
TRIED = ROOT / "build" / "tried"
SAMPLES = ROOT / "demo" / "samples"
