"""The benchmarks that are found are whole, and adding one is adding a file."""

import ast
from pathlib import Path

import pytest

import benchmarks.timing
from benchmarks import __main__ as door
from benchmarks.harness.registry import module_of, registered
from benchmarks.report.report import report

BEADS = '''"""How many beads a hand holds."""

PLACE = 2.5
NOTES = "The paper has other hands."


def run(profile):
    return {"unit": "beads", "results": {"hand": {"beads": len(profile)}}}
'''


@pytest.mark.parametrize("name", registered())
def test_a_benchmark_runs_and_says_what_it_measures(name):
    module = module_of(name)
    assert callable(module.run)
    assert module.__doc__
    assert registered()[name].words == module.__doc__.strip()
    assert registered()[name].notes == getattr(module, "NOTES", "").strip()


def test_each_has_its_own_place():
    places = [each.place for each in registered().values()]
    assert len(set(places)) == len(places)
    assert places == sorted(places)


def test_benchmarks_do_not_import_each_other():
    modules = {each.module for each in registered().values()}
    for name in registered():
        tree = ast.parse(Path(module_of(name).__file__).read_text())
        imported = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
        assert not imported & modules, name


def test_adding_a_benchmark_is_adding_a_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "hand_size.py").write_text(BEADS)
    monkeypatch.setattr(benchmarks.timing, "__path__", [*benchmarks.timing.__path__, str(tmp_path)])
    names = list(registered())
    assert names.index("index-search") < names.index("hand-size") < names.index("rpc-search")
    kept = []
    monkeypatch.setattr(door, "keep", lambda document, _folder: kept.append(document))
    monkeypatch.setattr("sys.argv", ["benchmarks", "hand-size", "--profile", "full"])
    assert door.main() == 0
    assert "| hand | 4 |" in capsys.readouterr().out
    text = report({"hand-size": kept[0]}, lambda name: (name, registered()[name].notes), "results")
    assert "[hand-size](#hand-size): How many beads a hand holds (full profile)" in text
    assert "The paper has other hands." in text
