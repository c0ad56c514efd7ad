"""The door, before a benchmark that measures nothing."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as door
from benchmarks.harness.kept import kept
from benchmarks.harness.registry import PAPER, TRY
from cipherlens.model.errors import DataError


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "RESULTS", tmp_path)
    return tmp_path


def call(monkeypatch, run, *arguments):
    monkeypatch.setattr(door, "module_of", lambda _name: SimpleNamespace(run=run))
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    return door.main()


def test_figures_are_kept_with_what_they_were_measured_on(results, monkeypatch, capsys):
    axes = {"title": "", "x": "images", "y": "s"}
    plot = {"title": "", "panels": [{**axes, "lines": {"a": [[1, 2], [3, 4]]}}]}

    def run(profile):
        return {"seed": 1, "results": {"row": {"s": profile}}, "plots": {"beads": plot}}

    assert call(monkeypatch, run, "restart", "--profile", "full") == 0
    document = json.loads((results / "restart-full.json").read_text())
    assert document["results"] == {"row": {"s": "full"}}
    assert {"machine", "versions", "commit", "measured_at", "duration_s"} < set(document)
    assert (results / "plots" / "beads.png").exists()
    assert "| row | full |" in capsys.readouterr().out


def test_an_interrupted_benchmark_leaves_no_file(results, monkeypatch):
    def run(_profile):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(monkeypatch, run, "restart")
    assert list(results.iterdir()) == []


def test_pictures_that_are_not_here_are_named(results, monkeypatch, capsys):
    def run(_profile):
        raise DataError("/nowhere is not Fashion-MNIST")

    assert call(monkeypatch, run, "restart") == 1
    assert "restart: /nowhere is not Fashion-MNIST" in capsys.readouterr().err
    assert list(results.iterdir()) == []


@pytest.mark.parametrize(
    ("profile", "facts"), [(TRY, {}), (TRY, {"cut": "one epoch"}), ("quick", {"cut": "no GPU"})]
)
def test_a_try_is_kept_apart(results, tmp_path_factory, monkeypatch, profile, facts):
    tried = tmp_path_factory.mktemp("tried")
    monkeypatch.setattr(door, "TRIED", tried)

    def run(_profile):
        return {**facts, "results": {"row": {"s": 1}}}

    assert call(monkeypatch, run, "settings", "--profile", profile) == 0
    assert list(results.iterdir()) == []
    document = json.loads((tried / f"settings-{profile}.json").read_text())
    assert facts.items() <= document.items()
    assert profile != TRY or kept("settings", tried) is None


def test_a_benchmark_without_the_papers_profile_says_which_have_it(results, monkeypatch, capsys):
    assert call(monkeypatch, dict, "restart", "--profile", PAPER) == 2
    said = capsys.readouterr().err
    assert "restart has no profile paper: cipher-quality, settings, " in said


def test_the_papers_profile_is_one_command(monkeypatch):
    commands = []

    def subprocess_run(command, *, check):
        commands.append(command[-3:])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(door.subprocess, "run", subprocess_run)
    monkeypatch.setattr(door, "write_report", lambda: "REPORT.md")
    assert call(monkeypatch, dict, "all", "--profile", PAPER) == 0
    assert [name for name, *_ in commands] == [
        "cipher-quality",
        "settings",
        "methods",
        "backbones",
        "hash-precision",
        "hash-methods",
        "network-cost",
        "retrieval-time",
    ]
    assert {tuple(rest) for _, *rest in commands} == {("--profile", PAPER)}


def test_an_unknown_name_is_a_usage_error(results, monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, dict, "restrat")
    assert ended.value.code == 2
    assert "restart" in capsys.readouterr().err


def test_all_goes_on_after_one_that_fails_and_says_so(monkeypatch, capsys):
    commands = []

    def subprocess_run(command, *, check):
        commands.append(command[-3])
        return SimpleNamespace(returncode=1 if command[-3] == "restart" else 0)

    monkeypatch.setattr(door.subprocess, "run", subprocess_run)
    monkeypatch.setattr(door, "write_report", lambda: "REPORT.md")
    assert call(monkeypatch, dict, "all") == 1
    assert commands == [name for name, each in door.registered().items() if not each.by_name_only]
    assert "failed: restart" in capsys.readouterr().err


@pytest.mark.parametrize(("fresh", "code"), [(2.0, 0), (1.0, 1)])
def test_check_fails_on_a_clear_loss_and_keeps_nothing(results, monkeypatch, capsys, fresh, code):
    monkeypatch.setattr(door, "guarded", lambda: [("load", {"rate": {"reached": 2.0}})])

    def run(_profile):
        return {"ratios": {"rate": {"reached": fresh}}}

    assert call(monkeypatch, run, "check") == code
    lost = "load: lost: rate: kept 2.0, fresh 1.0" in capsys.readouterr().out
    assert lost == bool(code)
    assert list(results.iterdir()) == []
