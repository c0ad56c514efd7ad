"""A stopped run goes on; what is kept is found while all that decides it is the same."""

from types import SimpleNamespace

import pytest

from benchmarks.leakage.trials.trial import Trial
from benchmarks.science import leakage


@pytest.fixture
def trials(monkeypatch, tmp_path, make_pictures):
    """Two trials that count how often they run."""
    ran = []

    def module(name):
        def run(pictures, profile):
            ran.append(name)
            return Trial(
                headline={name: {"reached": 1}}, tables={}, rounds=[{"share": 0.5}], seeds="1 key"
            )

        return SimpleNamespace(run=run)

    monkeypatch.setattr(leakage, "TRIALS", ("one", "two"))
    monkeypatch.setattr(leakage, "PARTS", tmp_path / "parts")
    monkeypatch.setattr(leakage, "SHEET", tmp_path / "plots" / "seen.png")
    monkeypatch.setattr(leakage, "EXAMPLES", tmp_path / "plots" / "examples.png")
    monkeypatch.setattr(leakage, "picture_sets", lambda profile: {"noise": make_pictures(16, 24)})
    monkeypatch.setattr(leakage, "import_module", lambda name: module(name.rpartition(".")[2]))
    monkeypatch.setattr(leakage, "sources_digest", lambda name: f"text of {name}")
    return ran


def test_what_is_done_is_not_done_again(trials):
    first = leakage.run("quick")
    second = leakage.run("quick")
    assert trials == ["one", "two"]
    assert first == second
    assert first["results"] == {"one": {"reached": 1}, "two": {"reached": 1}}
    assert first["parts"]["two"]["rounds"] == [{"share": 0.5}]


def test_other_code_is_measured_anew(trials, monkeypatch):
    leakage.run("quick")
    monkeypatch.setattr(
        leakage, "sources_digest", lambda name: "new" if name.endswith("two") else f"text of {name}"
    )
    leakage.run("quick")
    assert trials == ["one", "two", "two"]


def test_other_pictures_and_another_profile_are_measured_anew(trials, monkeypatch, make_pictures):
    leakage.run("quick")
    leakage.run("full")
    monkeypatch.setattr(leakage, "picture_sets", lambda profile: {"noise": make_pictures(24, 32)})
    leakage.run("quick")
    assert trials == ["one", "two"] * 3


def test_pictures_are_landscape_ones():
    for images in leakage.picture_sets("quick").values():
        assert {each.shape for each in images.images} == {(128, 192, 3)}
