"""Figures from raw values."""

import pytest
from PIL import Image

from benchmarks.report.plots import draw


def plot(**panel):
    axes = {"title": "one", "x": "images", "y": "time (s)"}
    return {"title": "A figure", "panels": [{**axes, **panel}]}


LINES = {"ours": [[2000, 4000], [1.0, 2.0]], "theirs": [[2000, 4000], [3.0, 9.0]]}


def test_the_same_values_give_the_same_file(tmp_path):
    first = draw("first", plot(lines=LINES), tmp_path).read_bytes()
    assert draw("second", plot(lines=LINES), tmp_path).read_bytes() == first
    moved = {**LINES, "ours": [[2000, 4000], [1.0, 2.5]]}
    assert draw("third", plot(lines=moved), tmp_path).read_bytes() != first


def test_a_picture_stays_small(tmp_path):
    many = {f"line {i}": [list(range(100)), [i + x for x in range(100)]] for i in range(12)}
    path = draw("many", plot(lines=many, log=True), tmp_path)
    assert path.stat().st_size < 60_000
    with Image.open(path) as image:
        assert image.width < 1000


def test_panels_stand_side_by_side(tmp_path):
    one, two = plot(lines=LINES), plot(bars={"a": 1.0, "b": 2.0})
    both = {"title": "Two", "panels": [*one["panels"], *two["panels"]]}
    widths = []
    for name, each in (("one", one), ("both", both)):
        with Image.open(draw(name, each, tmp_path)) as image:
            widths.append(image.width)
    assert widths[1] == pytest.approx(2 * widths[0], abs=2)


@pytest.mark.parametrize("points", [3, 101])
def test_a_spread_is_drawn_about_the_line_of_few_points_and_of_many(tmp_path, points):
    x, y = list(range(points)), [5.0] * points
    bare = draw("bare", plot(lines={"a": [x, y]}), tmp_path).read_bytes()
    drawn = {
        width: draw(
            f"spread-{width}",
            plot(lines={"a": [x, y]}, spread={"a": [[5 - width] * points, [5 + width] * points]}),
            tmp_path,
        ).read_bytes()
        for width in (0.1, 0.2)
    }
    assert len({bare, *drawn.values()}) == 3
