"""Figures drawn from raw values, the same file for the same values.

A plot is JSON-able:

    {"title": ..., "panels": [panel, ...]}

A panel stands beside its neighbours and has either lines or bars:

    {"title": ..., "x": "label (unit)", "y": "label (unit)",
     "lines": {name: [[x, ...], [y, ...]]} or "bars": {name: y},
     "spread": {name: [[lowest, ...], [highest, ...]]} of lines that are means; left out for none,
     "log": whether the y axis is logarithmic, "both" for the x axis too; left out for no}
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.harness.places import RESULTS

PLOTS = RESULTS / "plots"
_PANEL_INCHES = (4.6, 4.2)
_LEGEND_INCHES = 3.0
_LINES_INSIDE, _LETTERS_INSIDE = 7, 24
_MAX_TICKS = 12
_DPI = 90
_COLOURS = 128
_CYCLE = 10
_MARKERS = "os^Dv<>PX"  # nine, with ten colours: no two of ninety lines look alike

Lines = Mapping[str, tuple[list[float], list[float]]]


def draw(name: str, plot: Mapping[str, Any], folder: Path = PLOTS) -> Path:
    """Write the plot as a PNG of that name and return the file."""
    panels = plot["panels"]
    width, height = _PANEL_INCHES
    beside = _LEGEND_INCHES * sum(map(_has_legend_beside, panels))
    figure = Figure(figsize=(width * len(panels) + beside, height), layout="constrained")
    figure.suptitle(plot["title"])
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_panel(axes, panel)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_DPI)
    # A palette makes the file a third as large, and leaves out what changes without the values.
    Image.open(drawn).convert("RGB").quantize(_COLOURS).save(path, optimize=True)
    return path


def _draw_panel(axes: Axes, panel: Mapping[str, Any]) -> None:
    axes.set(title=panel["title"], xlabel=panel["x"], ylabel=panel["y"])
    if "bars" in panel:
        _draw_bars(axes, panel["bars"])
    else:
        _draw_lines(axes, panel["lines"], panel.get("spread", {}))
        if _has_legend_beside(panel):
            axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1.02, 1))
        else:
            axes.legend(fontsize="x-small")
    if panel.get("log"):
        axes.set_yscale("log")
        if panel["log"] == "both":
            ticks = axes.get_xticks()
            axes.set_xscale("log", base=2)
            axes.set_xticks(ticks, [f"{each:,.0f}" for each in ticks], minor=False)
    else:
        axes.set_ylim(bottom=0)
    axes.grid(axis="y", alpha=0.3)


def _draw_lines(axes: Axes, lines: Lines, spread: Lines) -> None:
    for number, (name, (x, y)) in enumerate(lines.items()):
        marker = _MARKERS[number % len(_MARKERS)] if len(x) <= _MAX_TICKS else None
        axes.plot(x, y, label=name, marker=marker, markersize=4, color=f"C{number % _CYCLE}")
        if name in spread:
            _draw_spread(axes, x, spread[name], f"C{number % _CYCLE}")
    ticks = sorted({each for x, _ in lines.values() for each in x})
    if len(ticks) <= _MAX_TICKS and ticks[0] >= 1:  # parts of one lie too close
        axes.set_xticks(ticks)


def _draw_spread(
    axes: Axes, x: list[float], between: tuple[list[float], list[float]], colour: str
) -> None:
    """Draw from the lowest to the highest: a line at each of few points, or a band."""
    if len(x) <= _MAX_TICKS:
        axes.vlines(x, *between, color=colour, alpha=0.5, linewidth=2)
    else:
        axes.fill_between(x, *between, color=colour, alpha=0.15, linewidth=0)


def _has_legend_beside(panel: Mapping[str, Any]) -> bool:
    """Return whether the legend would cover the lines."""
    names = list(panel.get("lines", ()))
    return len(names) > _LINES_INSIDE or max(map(len, names), default=0) > _LETTERS_INSIDE


def _draw_bars(axes: Axes, bars: Mapping[str, float]) -> None:
    drawn = axes.bar(list(bars), list(bars.values()))
    axes.bar_label(drawn, fontsize="x-small")
    axes.tick_params(axis="x", labelrotation=30)
