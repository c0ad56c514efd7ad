import numpy as np
from PIL import Image

from benchmarks.leakage.sheet import sheet
from benchmarks.leakage.trials.seen import drawn, examples


def test_pictures_stand_below_their_names():
    red, blue = (np.zeros((2, 64, 96, 3), np.uint8) for _ in range(2))
    red[..., 0] = blue[..., 2] = 255
    image = sheet({"red": red, "blue\nas the sea": blue}).convert("RGB")
    assert image.size == (2 * (96 + 6) + 6, 6 + 2 * 14 + 2 * (64 + 6))
    assert image.getpixel((50, 60)) == (255, 0, 0)
    assert image.getpixel((160, 150)) == (0, 0, 255)


def test_what_is_drawn_is_a_png_of_all_attacks(smooth, tmp_path):
    (tmp_path / "sheet.png").write_bytes(drawn(smooth[:1], smooth))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (8 * (96 + 6) + 6, 6 + 2 * 14 + 64 + 6)


def test_examples_are_of_the_six_settings_of_the_paper(smooth, tmp_path):
    (tmp_path / "sheet.png").write_bytes(examples(smooth[:2]))
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.size == (7 * (96 + 6) + 6, 6 + 14 + 2 * (64 + 6))
