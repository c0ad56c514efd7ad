"""Raw figures say what they were measured on, of which code and with which seeds."""

import json
from pathlib import Path

import pytest

from benchmarks.harness.places import RESULTS

NAMED = ("measured_at", "machine", "versions", "commit", "seed")

BEFORE = {
    "browser.json": "2026-11-26",
    "demo-seeds-full.json": "2026-11-21T23:30:53+00:00",
    "engines.json": "2026-11-26",
    "fashion-mnist-e2e-full.json": "2026-11-22T12:30:16+00:00",
    "fashion-mnist-hash-full.json": "2026-11-22T06:37:45+00:00",
    "fashion-mnist-hour-full.json": "2026-11-26T07:29:32+00:00",
    "languages.json": "2026-11-26",
    "lowest.json": "2026-11-26",
    "soak.json": "2026-11-25",
}
"""Files made before all of it was asked for, and when; the trainings within them name seeds."""

ADDED_UP = ("crash.json", "fuzz.json")
"""Counts of many runs, on many commits."""


@pytest.mark.parametrize(
    "path",
    [each for each in sorted(RESULTS.glob("*.json")) if each.name not in ADDED_UP],
    ids=lambda path: path.stem,
)
def test_raw_figures_say_where_they_are_from(path: Path) -> None:
    document = json.loads(path.read_text())
    when = document.get("measured_at", document.get("date"))
    assert when is not None
    if BEFORE.get(path.name) != when:
        assert [name for name in NAMED if name not in document] == []
