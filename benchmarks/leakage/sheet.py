"""Pictures of what an attacker sees, beside each other under their names."""

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.leakage.blocks import Pixels

_GAP, _LINE = 6, 14
_COLOURS = 256


def sheet(columns: Mapping[str, Pixels]) -> Image.Image:
    """Return a sheet with a column for each name, whose words stand in lines at "\\n"."""
    height, width, _ = next(iter(columns.values()))[0].shape
    lines = max(name.count("\n") + 1 for name in columns)
    rows = len(next(iter(columns.values())))
    head = _GAP + lines * _LINE
    size = (len(columns) * (width + _GAP) + _GAP, head + rows * (height + _GAP))
    drawn = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(drawn)
    for number, (name, pictures) in enumerate(columns.items()):
        left = _GAP + number * (width + _GAP)
        pen.multiline_text((left, 2), name, fill="black", spacing=3)
        for row, picture in enumerate(pictures):
            drawn.paste(
                Image.fromarray(np.ascontiguousarray(picture)), (left, head + row * (height + _GAP))
            )
    return drawn.quantize(_COLOURS)
