"""The first table, and that it finds its figures in what the benchmarks keep."""

import pytest

from benchmarks.harness.kept import kept
from benchmarks.harness.registry import registered
from benchmarks.report.papers import CLAIMS, papers_table


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.what)
def test_every_figure_is_found_among_the_kept_ones(claim):
    assert claim.benchmark in registered()
    document = kept(claim.benchmark)
    assert document is not None
    text = papers_table({claim.benchmark: document})
    assert claim.what in text
    row = next(line for line in text.splitlines() if claim.what in line)
    assert "not measured" not in row
    assert f"[{claim.benchmark}](#{claim.benchmark})" in row


def test_a_row_has_ours_beside_theirs():
    document = {
        "exact": ["parameters"],
        "results": {f"DLHEIR, {bits} bits": {"parameters": 176.41} for bits in (12, 24, 32)},
        "paper": {f"DLHEIR, {bits} bits": {"parameters": 176.5} for bits in (12, 24, 32, 48)},
    }
    last = papers_table({"network-cost": document}).splitlines()[-1]
    assert last == (
        "| DLHEIR, Table 2: parameters in 10^5 with 12/24/32/48 bits | reproduced | "
        "176.41 / 176.41 / 176.41 / not measured | 176.5 / 176.5 / 176.5 / 176.5 | "
        "[network-cost](#network-cost) |"
    )


@pytest.mark.parametrize(
    ("profile", "state"), [("full", "on other data"), ("paper", "at its scale")]
)
def test_at_the_papers_scale_the_rows_are_those_of_its_pictures(profile, state):
    sides = {"full": 120, "paper": 384}
    document = {
        "profile": profile,
        "results": {
            f"{sides[profile]}x{sides[profile]}, {bits} bits": {"P@20": 70.5}
            for bits in (12, 24, 32, 48)
        },
    }
    row = papers_table({"hash-precision": document}).splitlines()[-1]
    assert f"| {state} | 70.5 / 70.5 / 70.5 / 70.5 |" in row


def test_nothing_measured_is_no_table():
    assert papers_table({}) == ""
