"""Raw figures on disk."""

import json

import pytest

from benchmarks.harness.kept import keep, kept


def document(profile, value=1):
    return {"benchmark": "restart", "profile": profile, "results": {"row": {"s": value}}}


def test_the_full_profile_is_preferred(tmp_path):
    keep(document("quick", 1), tmp_path)
    assert kept("restart", tmp_path)["results"] == {"row": {"s": 1}}
    keep(document("full", 2), tmp_path)
    assert kept("restart", tmp_path)["profile"] == "full"


def test_what_was_not_measured_is_none(tmp_path):
    assert kept("restart", tmp_path) is None


def test_figures_that_are_no_numbers_leave_the_old_file(tmp_path):
    path = keep(document("quick", 1), tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        keep(document("quick", float("nan")), tmp_path)
    assert json.loads(path.read_text()) == document("quick", 1)
    assert list(tmp_path.iterdir()) == [path]
