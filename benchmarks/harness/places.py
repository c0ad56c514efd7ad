"""Where a measurement finds its settings and leaves its figures."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "benchmarks" / "configs"
RESULTS = ROOT / "benchmarks" / "results"
NETWORKS = ROOT / "build" / "trained"
SAMPLES = ROOT / "demo" / "samples"
