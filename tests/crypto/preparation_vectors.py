"""Vectors of the preparation, for implementations in other languages.

What they are is what Pillow and the package make of pictures that a formula draws; run as a program
it writes them beside the others: `python -m tests.crypto.preparation_vectors`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from blake3 import blake3
from PIL import Image

from cipherlens.crypto import CipherParameters, prepare

PATH = Path(__file__).parents[1] / "vectors" / "preparation.json"
FORMULA = (
    "row y, column x, channel c of R G B: (7y + 13x + 29c + xy) mod 256; "
    "alpha: 255, or (11x + 17y) mod 256 where the case says so"
)
SIZES = [
    (16, 24),
    (24, 16),
    (70, 100),
    (7, 10),
    (50, 30),
    (20, 300),
    (1, 1),
    (150, 130),
    (60, 10),
    (260, 90),
]  # (height, width); the last two become wider and lower
KEYS = [(16, 24), (128, 192)]
_WHOLE_BYTES = 2000


def picture(height: int, width: int, *, transparent: bool) -> npt.NDArray[np.uint8]:
    """Return the RGBA pixels of the formula, (height, width, 4) uint8."""
    y, x = np.mgrid[:height, :width]
    rgb = [7 * y + 13 * x + 29 * channel + x * y for channel in range(3)]
    alpha = 11 * x + 17 * y if transparent else np.full_like(x, 255)
    return (np.stack([*rgb, alpha], axis=-1) % 256).astype(np.uint8)


def document() -> dict[str, Any]:
    """Return the vectors."""
    cases = [
        _case(size, key, transparent) for size in SIZES for key in KEYS for transparent in (0, 1)
    ]
    return {"picture": FORMULA, "cases": cases}


def _case(size: tuple[int, int], key: tuple[int, int], transparent: int) -> dict[str, Any]:
    image = Image.fromarray(picture(*size, transparent=bool(transparent)))
    made = prepare(image, CipherParameters(height=key[0], width=key[1], substituted_blocks=0))
    case = {
        "height": size[0],
        "width": size[1],
        "transparent": bool(transparent),
        "key_height": key[0],
        "key_width": key[1],
        "prepared_height": made.shape[0],
        "prepared_width": made.shape[1],
        "prepared_blake3": blake3(made.tobytes()).hexdigest(),
    }
    return case | ({"prepared": made.tobytes().hex()} if made.nbytes < _WHOLE_BYTES else {})


if __name__ == "__main__":
    PATH.write_text(json.dumps(document(), indent=1) + "\n")
