"""The report, from figures that no machine measured."""

import pytest

from benchmarks.harness.kept import keep
from benchmarks.harness.registry import registered
from benchmarks.report.report import report, words_of, write_report

MACHINE = {
    "measured_at": "2026-01-02T03:04:05+00:00",
    "machine": {
        "processor": "Abacus",
        "cores": 2,
        "memory_gib": 24,
        "system": "Linux",
        "load_1m": 0.5,
    },
    "versions": {"python": "3.11.7", "numpy": "2.4.6"},
    "commit": "0123456789ab",
    "duration_s": 90.0,
}
RETRIEVAL = {
    "benchmark": "retrieval-time",
    "profile": "quick",
    **MACHINE,
    "unit": "microseconds",
    "data": "beads",
    "seed": 7,
    "results": {"48 bits": {"2,000": 10.0, "10,000": 20.0}},
    "paper": {"48 bits": {"2,000": 0.58, "10,000": 1.249}},
    "tables": {"Growth": {"48 bits": {"ours": 2.0, "paper": 2.15}}},
    "plots": {
        "beads": {
            "title": "Beads",
            "panels": [
                {"title": "", "x": "images", "y": "us", "lines": {"48": [[2000, 10000], [10, 20]]}}
            ],
        }
    },
    "notes": ["One bead was lost."],
}


def words(name):
    return f"How {name} is measured.", "The paper has no unit."


def test_a_section_says_what_on_what_and_how_it_differs():
    text = report({"retrieval-time": RETRIEVAL}, words, "results")
    section = text[text.index("## retrieval-time") :]
    for expected in (
        "How retrieval-time is measured.",
        "- Profile: quick",
        "- Data: beads",
        "- Seed: 7",
        "2026-01-02T03:04:05+00:00, 90.0 s, commit 0123456789ab, load 0.5 at the end",
        "Figures in microseconds.",
        "| 48 bits | 10 | 20 |",
        "| 48 bits | 0.58 | 1.25 |",
        "| 48 bits | 2 | 2.15 |",
        "![beads](results/plots/beads.png)",
        "- One bead was lost.",
        "The paper has no unit.",
        "(results/retrieval-time-quick.json)",
    ):
        assert expected in section


def test_the_parts_of_a_section_come_in_order():
    text = report({"retrieval-time": RETRIEVAL}, words, "results")
    places = [
        text.index(part) for part in ("is measured", "| 10 |", "0.58", "Growth", "![", "no unit")
    ]
    assert places == sorted(places)


def test_the_introduction_tells_what_is_there_and_what_is_not():
    introduction = report({"retrieval-time": RETRIEVAL}, words, "results").split("## ")[0]
    assert "[retrieval-time](#retrieval-time)" in introduction
    assert "took 1.5 minutes" in introduction
    missing = introduction[introduction.index("Not measured yet") :]
    assert all(f"- {name}: " in missing for name in registered() if name != "retrieval-time")


def test_the_machine_is_named_once_and_in_a_section_only_what_differs_there():
    other = {
        **MACHINE,
        "machine": {**MACHINE["machine"], "gpu": "Loom"},
        "versions": {"python": "3.11.7", "numpy": "2.4.5"},
    }
    documents = {
        name: {**RETRIEVAL, **where, "benchmark": name}
        for name, where in (("encryption", {}), ("restart", other), ("retrieval-time", {}))
    }
    text = report(documents, words, "results")
    said = "Machine: Abacus, 2 cores, 24 GiB, Linux; python 3.11.7, numpy 2.4.6. A section"
    assert text.count(said) == text.count("numpy 2.4.6") == 1
    differing = "- Otherwise here: Abacus, 2 cores, 24 GiB, Linux, Loom; numpy 2.4.5\n"
    section = text[text.index("## restart") : text.index("## retrieval-time")]
    assert section.count(differing) == text.count("Otherwise here") == 1


def test_a_report_without_optional_parts():
    bare = {"benchmark": "restart", "profile": "full", **MACHINE, "results": {"row": {"s": 1}}}
    text = report({"restart": bare}, lambda name: (name, ""), "results")
    assert "| row | 1 |" in text
    assert "The paper:" not in text
    assert "Seed" not in text


def test_report_and_plots_are_written_from_the_raw_figures_alone(tmp_path):
    keep(RETRIEVAL, tmp_path / "results")
    path = write_report(tmp_path / "REPORT.md", tmp_path / "results")
    assert "| 48 bits | 10 | 20 |" in path.read_text()
    assert (tmp_path / "results" / "plots" / "beads.png").exists()


@pytest.mark.parametrize(
    "name", ["retrieval-time", "feature-time", "index-time", "trapdoor-time", "encryption"]
)
def test_the_words_live_beside_the_code(name):
    measured, notes = words_of(name)
    assert measured
    assert notes or name == "encryption"
