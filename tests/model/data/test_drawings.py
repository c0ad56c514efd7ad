import pytest
from PIL import Image, ImageDraw

from cipherlens.model.data.drawings import difference_hash, is_near, without_margins


def disc(size: tuple[int, int] = (90, 60), alpha: int = 255) -> Image.Image:
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 10, 59, 49), fill=(200, 30, 30, alpha))
    return image


def test_what_is_transparent_goes_and_what_is_left_stands_on_white() -> None:
    trimmed = without_margins(disc())
    assert (trimmed.size, trimmed.mode) == ((40, 40), "RGB")
    assert trimmed.getpixel((0, 0)) == (255, 255, 255)
    assert trimmed.getpixel((20, 20)) == (200, 30, 30)


def test_faint_shadows_are_margins() -> None:
    image = disc()
    image.putpixel((85, 55), (0, 0, 0, 8))
    assert without_margins(image).size == (40, 40)
    image.putpixel((85, 55), (0, 0, 0, 9))
    assert without_margins(image).size == (66, 46)


def test_an_opaque_margin_stays() -> None:
    image = Image.new("P", (30, 20), 255)
    assert without_margins(image).size == (30, 20)


def test_a_drawing_that_cannot_be_seen() -> None:
    with pytest.raises(ValueError, match="transparent all over"):
        without_margins(disc(alpha=5))


def test_the_hash_says_where_a_picture_grows_darker() -> None:
    ramp = Image.linear_gradient("L").rotate(90)  # dark at the right
    assert difference_hash(ramp) in {0, 2**64 - 1}
    assert difference_hash(ramp) ^ difference_hash(ramp.rotate(180)) == 2**64 - 1
    halves = Image.new("L", (90, 80), 255)
    halves.paste(0, (0, 0, 50, 80))
    # Columns of a row: five dark cells, then four light ones, so one step from the fifth on.
    assert difference_hash(halves) == int.from_bytes(bytes([0b00001000] * 8), "big")


def test_a_scaled_copy_has_nearly_the_same_hash() -> None:
    image = without_margins(disc())
    assert is_near(difference_hash(image), [difference_hash(image.resize((200, 150)))], 4)


def test_hashes_are_near_up_to_so_many_bits() -> None:
    assert is_near(0b1111, [2**60, 0b1000], 3)
    assert not is_near(0b1111, [2**60, 0b1000], 2)
    assert not is_near(0, [], 64)
