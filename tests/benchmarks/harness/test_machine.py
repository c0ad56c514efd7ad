"""Which commit a figure is said to be of."""

import subprocess

import pytest

from benchmarks.harness import machine


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a source and a raw figure, in place of ours."""
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    for name in ("source.py", "benchmarks/results/speed-full.json"):
        (tmp_path / name).write_text("1\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "First"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_a_changed_source_marks_the_commit(checkout):
    whole = machine.environment()["commit"]
    assert len(whole) == 12
    (checkout / "source.py").write_text("2\n")
    assert machine.environment()["commit"] == f"{whole}-dirty"


def test_new_figures_do_not_mark_it(checkout):
    whole = machine.environment()["commit"]
    (checkout / "benchmarks" / "results" / "speed-full.json").write_text("2\n")
    assert machine.environment()["commit"] == whole


def test_without_a_checkout_it_is_what_it_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setenv("COMMIT", "0123456789ab")
    assert machine.environment()["commit"] == "0123456789ab"
