import json
from pathlib import Path

from benchmarks.science.training_speed import CORES, measure


def test_every_step_has_its_rate(tmp_path: Path) -> None:
    document = json.loads(json.dumps(measure(tmp_path, rounds=1)))
    rows = document["results"]
    assert len(rows) == 9
    for row in rows.values():
        assert 0 < row["slowest"] <= row["median"] <= row["fastest"]
    for size in (8, 16):
        row = rows[f"whole batches, P={size}"]
        assert row[f"of {CORES} cores"] == CORES * row["median"]
    assert [each.suffix for each in tmp_path.iterdir()] == [".pictures"]
