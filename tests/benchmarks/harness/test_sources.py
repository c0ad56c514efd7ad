import ast
import sys

import pytest

from benchmarks.harness.sources import sources_digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of ours: `first` imports `second`, which imports `third`; `fourth` stands alone."""
    root = tmp_path / "benchmarks_of_this_test"
    root.mkdir()
    (root / "__init__.py").write_text("")
    (root / "first.py").write_text("from benchmarks_of_this_test import second\n")
    (root / "second.py").write_text("import benchmarks_of_this_test.third as t\n")
    (root / "third.py").write_text("x = 1\n")
    (root / "fourth.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("benchmarks.harness.sources._OURS", ("benchmarks_of_this_test",))
    yield root
    for name in [each for each in sys.modules if each.startswith("benchmarks_of_this_test")]:
        del sys.modules[name]


def test_a_change_of_what_is_imported_in_turn_changes_the_digest(package):
    before = sources_digest("benchmarks_of_this_test.first")
    (package / "third.py").write_text("x = 2\n")
    assert sources_digest("benchmarks_of_this_test.first") != before


def test_words_and_lines_decide_nothing(package):
    (package / "third.py").write_text("def double(x):\n    return 2 * x\n")
    before = sources_digest("benchmarks_of_this_test.first")
    said = (
        '"""Sums."""\n\ndef double(x):\n    """Return twice x."""\n'
        "    # or x + x\n    return (2\n    * x)\n"
    )
    (package / "third.py").write_text(said)
    assert sources_digest("benchmarks_of_this_test.first") == before
    (package / "third.py").write_text(said.replace("2\n", "3\n"))
    assert sources_digest("benchmarks_of_this_test.first") != before


def test_fields_that_a_newer_python_has_decide_nothing(package, monkeypatch):
    (package / "third.py").write_text(
        "def none(*, a=None):\n    return [a, None, 0, '', 0.5, ...]\n"
    )
    before = sources_digest("benchmarks_of_this_test.third")
    monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "newer"))
    monkeypatch.setattr(ast.FunctionDef, "newer", [], raising=False)
    sources_digest.__globals__["_read"].cache_clear()
    assert sources_digest("benchmarks_of_this_test.third") == before


@pytest.mark.parametrize("other", ["None", "0", "''", "[]", "()", "False"])
def test_constants_are_told_apart(package, other):
    (package / "third.py").write_text("x = 1\n")
    before = sources_digest("benchmarks_of_this_test.third")
    (package / "third.py").write_text(f"x = {other}\n")
    assert sources_digest("benchmarks_of_this_test.third") != before


def test_several_modules_are_told_together(package):
    first, fourth = (f"benchmarks_of_this_test.{name}" for name in ("first", "fourth"))
    before = sources_digest(first, fourth)
    assert before == sources_digest(fourth, first) != sources_digest(first)
    (package / "fourth.py").write_text("x = 2\n")
    assert sources_digest(first, fourth) != before


def test_a_change_elsewhere_does_not(package):
    before = sources_digest("benchmarks_of_this_test.first")
    (package / "fourth.py").write_text("x = 2\n")
    assert sources_digest("benchmarks_of_this_test.first") == before


def test_the_digest_of_an_attack_has_the_cipher_in_it(monkeypatch):
    seen = []
    real = sources_digest.__globals__["_source"]

    def watched(name):
        seen.append(name)
        return real(name)

    monkeypatch.setattr("benchmarks.harness.sources._source", watched)
    sources_digest("benchmarks.leakage.trials.known_pictures")
    assert {"cipherlens.crypto.hazmat.blocks", "benchmarks.leakage.blocks"} <= set(seen)
    assert "benchmarks.science.leakage" not in seen
