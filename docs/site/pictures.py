"""The picture of the page about concepts: what a picture is turned into, by the code itself."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from cipherlens.crypto import CipherParameters, ImageCipher, KeyEntry, open_image, prepare

PICTURE = Path(__file__).parents[2] / "demo" / "samples" / "bugs" / "bee.png"
TITLES = ("the picture", "its cipher-image", "with other sequences")
PARAMETERS = CipherParameters(height=192, width=192, block_size=16, substituted_blocks=108)
_GAP, _TITLE = 16, 20


def png() -> bytes:
    """Return a picture and two cipher-images of it, as a PNG."""
    cipher = ImageCipher(KeyEntry.generate("docs", PARAMETERS))
    plain = prepare(open_image(PICTURE), PARAMETERS)
    encrypted, _ = cipher.encrypt(np.stack([plain, plain]))
    tiles = [plain, *encrypted]
    side = PARAMETERS.height
    sheet = Image.new("RGB", (len(tiles) * (side + _GAP) - _GAP, side + _TITLE), "white")
    for number, (title, tile) in enumerate(zip(TITLES, tiles, strict=True)):
        left = number * (side + _GAP)
        sheet.paste(Image.fromarray(tile), (left, _TITLE))
        ImageDraw.Draw(sheet).text((left, 4), title, fill="black")
    written = io.BytesIO()
    sheet.save(written, "PNG")
    return written.getvalue()
