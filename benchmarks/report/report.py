"""REPORT.md: all that was measured, from the raw figures and the notes beside each benchmark."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.kept import kept
from benchmarks.harness.places import RESULTS, ROOT
from benchmarks.harness.registry import registered
from benchmarks.report.machines import Ground, common_ground, ground_of
from benchmarks.report.papers import papers_table
from benchmarks.report.plots import draw
from benchmarks.report.tables import markdown
from cipherlens.base import replace_file

REPORT = ROOT / "benchmarks" / "REPORT.md"

Words = Callable[[str], tuple[str, str]]
"""Gives what a benchmark's code says of it: what is measured, and what a reader must know."""


def write_report(path: Path = REPORT, results: Path = RESULTS) -> Path:
    """Draw the plots anew, write the report of all kept figures and return the file."""
    documents = {name: document for name in registered() if (document := kept(name, results))}
    for document in documents.values():
        for plot_name, plot in document.get("plots", {}).items():
            draw(plot_name, plot, results / "plots")
    text = report(documents, words_of, results.relative_to(path.parent).as_posix())
    replace_file(path, text.encode())
    return path


def words_of(name: str) -> tuple[str, str]:
    """Return the docstring of a benchmark's file and its notes."""
    benchmark = registered()[name]
    return benchmark.words, benchmark.notes


def report(documents: Mapping[str, Mapping[str, Any]], words: Words, folder: str) -> str:
    """Return the report in Markdown; `folder` is where its links find raw figures and plots."""
    common = common_ground(documents.values())
    sections = [_section(name, each, words, folder, common) for name, each in documents.items()]
    return "\n\n".join([_introduction(documents, common), *sections]) + "\n"


def _introduction(documents: Mapping[str, Mapping[str, Any]], common: Ground) -> str:
    abouts = {name: each.about for name, each in registered().items()}
    contents = [
        f"- [{name}](#{name}): {abouts[name]} ({each['profile']} profile)"
        for name, each in documents.items()
    ]
    missing = [f"- {name}: {about}" for name, about in abouts.items() if name not in documents]
    parts = [
        "# Benchmarks",
        "`python -m benchmarks report` makes this file of the raw figures in `results/`; "
        "`make bench` measures all quick profiles first. Where a benchmark has been run with "
        "several profiles, the largest is shown. Figures have three significant digits here, raw "
        "ones more. All times were taken with whatever else ran on the machine: compare within a "
        "table, not between tables.",
        f"Machine: {common}. A section names what was otherwise there.",
        f"Measuring what is shown took {_minutes(documents)} minutes in all, besides the trainings "
        "whose figures were there from an earlier run.",
        *_papers(documents),
        "\n".join(contents),
    ]
    if missing:
        parts += ["Not measured yet:", "\n".join(missing)]
    return "\n\n".join(parts)


def _papers(documents: Mapping[str, Mapping[str, Any]]) -> list[str]:
    table = papers_table(documents)
    said = "Of both papers, ours beside theirs; what each row leaves out is in its section:"
    return [said, table] if table else []


def _minutes(documents: Mapping[str, Mapping[str, Any]]) -> float:
    return round(sum(float(each["duration_s"]) for each in documents.values()) / 60, 1)


def _section(
    name: str, document: Mapping[str, Any], words: Words, folder: str, common: Ground
) -> str:
    measured, notes = words(name)
    return "\n\n".join(
        [
            f"## {name}",
            measured,
            _circumstances(document, common),
            *_tables(document),
            *(f"![{plot}]({folder}/plots/{plot}.png)" for plot in document.get("plots", {})),
            *([_bullets(document["notes"])] if document.get("notes") else []),
            *([notes] if notes else []),
            f"Raw figures: [{name}-{document['profile']}.json]"
            f"({folder}/{name}-{document['profile']}.json)",
        ]
    )


def _tables(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield each table in Markdown, ours first and the paper's after it."""
    unit, exact = document.get("unit", ""), document.get("exact", ())
    if unit:
        yield f"Figures in {unit}."
    yield markdown(str(document["benchmark"]), document["results"], exact)
    if document.get("ratios"):
        yield "Ratios within this run, beside what was asked for:"
        yield markdown("ratio", document["ratios"])
    if document.get("paper"):
        yield "The paper:"
        yield markdown("paper", document["paper"], exact)
    for title, rows in document.get("tables", {}).items():
        yield f"{title}:"
        yield markdown("", rows, exact)


def _circumstances(document: Mapping[str, Any], common: Ground) -> str:
    """Return when and how long it was measured, and on what, where it is not the common ground."""
    facts = {
        "Profile": document["profile"],
        "Data": document.get("data"),
        "Seed": document.get("seed"),
        "Measured": f"{document['measured_at']}, {document['duration_s']} s, "
        f"commit {document['commit']}, load {document['machine']['load_1m']} at the end",
        "Otherwise here": ground_of(document).beside(common),
    }
    return _bullets([f"{name}: {fact}" for name, fact in facts.items() if fact is not None])


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
