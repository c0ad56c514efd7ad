"""Tables, growth and ratios."""

import pytest

from benchmarks.report.tables import figure, markdown
from benchmarks.timing.growth import by_size, ratio


def test_a_table_has_every_column_that_a_row_has():
    table = markdown("search", {"ours": {"us": 1.5}, "theirs": {"us": 3, "recall": 0.9}})
    assert table.splitlines() == [
        "| search | us | recall |",
        "|---|---:|---:|",
        "| ours | 1.5 |  |",
        "| theirs | 3 | 0.9 |",
    ]


def test_what_is_missing_is_empty_and_a_bar_stays_in_its_cell():
    assert markdown("a|b", {"row": {"x": None}}).splitlines()[::2] == [
        r"| a\|b | x |",
        "| row |  |",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.5373, "0.537"),
        (9.754, "9.75"),
        (0.9998, "1.00"),
        (1.0, "1"),
        (0.36, "0.36"),
        (10.004, "10.0"),
        (99.96, "100"),
        (176.41, "176"),
        (15699, "15,700"),
        (2339.2, "2,340"),
        (-17.4, "-17.4"),
        (0.00001234, "1.23e-05"),
        (0.0, "0"),
        (999, "999"),
    ],
)
def test_a_figure_has_three_significant_digits(value, expected):
    assert figure(value) == expected


def test_what_is_exact_and_what_is_no_number_stays_as_it_is():
    rows = {"row": {"parameters": 176.41, "MACs": 12.614, "chosen": "alpha=0.5", "serves": True}}
    last = markdown("", rows, ["parameters"]).splitlines()[-1]
    assert last == "| row | 176.41 | 12.6 | alpha=0.5 | True |"


@pytest.mark.parametrize(
    ("value", "base", "expected"),
    [(1.249, 0.58, 2.15), (0.785, 0.483, 1.63), (123.456, 1, 123.0), (1, 0, None)],
)
def test_a_ratio_has_three_digits(value, base, expected):
    assert ratio(value, base) == expected


def test_a_row_by_size_ends_with_its_growth():
    assert by_size((2000, 10_000), (2.0, 5.0)) == {"2,000": 2.0, "10,000": 5.0, "growth": 2.5}


def test_a_row_needs_a_value_for_each_size():
    with pytest.raises(ValueError, match="shorter"):
        by_size((2000, 4000), (1.0,))
