"""Preparation: every mode, orientation, transparency, and files that are none."""

import io
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from cipherlens.crypto import CipherParameters, ImageError, open_image, preparation, prepare
from cipherlens.crypto.preparation import MAX_SCANS, declared_pixels
from tests.crypto import preparation_vectors

SMALL = CipherParameters(height=16, width=24, substituted_blocks=0)


def encoded(image, file_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def gradient(width=48, height=32):
    rows, columns = np.mgrid[:height, :width]
    channels = [columns * 255 // width, rows * 255 // height, (rows + columns) * 2]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def declared_png(width, height):
    """Return a PNG whose header declares a size that its data does not have."""

    def chunk(name, data):
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((300, 200), (16, 24, 3)),
        ((200, 300), (24, 16, 3)),
        ((50, 50), (16, 24, 3)),
        ((1, 1), (16, 24, 3)),
        ((1, 900), (24, 16, 3)),
    ],
)
def test_shape_follows_the_picture(size, shape):
    pixels = prepare(Image.new("RGB", size, (10, 20, 30)), SMALL)
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8
    assert (pixels == (10, 20, 30)).all()
    assert pixels.flags.writeable


def test_a_picture_of_the_right_size_stays_as_it_is():
    image = gradient(24, 16)
    assert np.array_equal(prepare(image, SMALL), np.asarray(image))


def test_resizing_is_pillows_bicubic_warp():
    image = gradient()
    expected = np.asarray(image.resize((24, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(prepare(image, SMALL), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_opaque_modes_agree_with_pillows_conversion(mode):
    image = gradient().convert(mode)
    expected = image.convert("RGB").resize((24, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(prepare(image, SMALL), np.asarray(expected))


def test_cielab_is_close_to_what_it_came_from():
    lab = Image.new("LAB", (48, 32), (255, 128, 128))
    assert (prepare(lab, SMALL) >= 250).all()


@pytest.mark.parametrize("mode", ["LA", "La", "PA", "RGBA", "RGBa"])
def test_what_is_transparent_becomes_white(mode):
    straight = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA"}.get(mode, mode)
    clear = Image.new("RGBA", (48, 32), (0, 0, 0, 0)).convert(straight).convert(mode)
    solid = Image.new("RGBA", (48, 32), (0, 0, 0, 255)).convert(straight).convert(mode)
    if mode == "PA":
        clear.putalpha(0)  # before Pillow 12 the conversion to this mode loses alpha
    assert (prepare(clear, SMALL) == 255).all()
    assert (prepare(solid, SMALL) == 0).all()


def test_half_transparent_black_is_grey():
    half = Image.new("RGBA", (48, 32), (0, 0, 0, 128))
    assert (prepare(half, SMALL) == 127).all()


@pytest.mark.parametrize(
    ("mode", "key"), [("P", 0), ("L", 0), ("RGB", (0, 0, 0)), ("1", 0), ("I;16", 0)]
)
def test_a_transparent_colour_becomes_white(mode, key):
    image = Image.new(mode, (24, 16))
    image.info["transparency"] = key
    assert (prepare(image, SMALL) == 255).all()


def test_a_palette_with_several_transparencies():
    image = Image.new("P", (24, 16))
    image.putpalette([0, 0, 0, 200, 0, 0])
    ImageDraw.Draw(image).rectangle((0, 0, 11, 15), fill=1)
    image = open_image(encoded(image, transparency=bytes([0, 255])))
    pixels = prepare(image, SMALL)
    assert (pixels[:, :12] == (200, 0, 0)).all()
    assert (pixels[:, 12:] == 255).all()


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I"])
def test_sixteen_bit_grey_is_scaled(mode):
    image = Image.new("I;16", (24, 16), 0x8080)
    if mode == "I":
        image = Image.fromarray(np.full((16, 24), 0x8080, np.int32))
    elif mode != "I;16":
        image = Image.frombytes(
            mode, (24, 16), struct.pack(">H" if mode[-1] == "B" else "<H", 0x8080) * 384
        )
    assert image.mode == mode
    assert (prepare(image, SMALL) == 128).all()


def test_a_sixteen_bit_png_is_scaled():
    ramp = np.linspace(0, 65535, 24).astype(np.uint16)
    file = encoded(Image.fromarray(np.tile(ramp, (16, 1))))
    pixels = prepare(open_image(file), SMALL)
    assert np.array_equal(pixels[0, :, 0], np.rint(ramp / 257).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_grey_without_a_range_is_stretched(dtype):
    values = np.linspace(-70000, 70000, 24).astype(dtype)
    pixels = prepare(Image.fromarray(np.tile(values, (16, 1))), SMALL)
    assert (pixels[0, 0, 0], pixels[0, -1, 0]) == (0, 255)
    assert (np.diff(pixels[0, :, 0].astype(int)) > 0).all()


def test_float_pictures_with_holes_or_without_contrast():
    assert (prepare(Image.new("F", (24, 16), 3.5), SMALL) == 0).all()
    holes = np.zeros((16, 24), np.float32)
    holes[0, 0], holes[1, 1] = np.nan, 2.0
    pixels = prepare(Image.fromarray(holes), SMALL)
    assert (pixels[0, 0, 0], pixels[1, 1, 0]) == (0, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied(orientation, file_format):
    upright = Image.new("RGB", (48, 96), (0, 0, 255))
    ImageDraw.Draw(upright).rectangle((0, 0, 23, 47), fill=(255, 0, 0))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright
    if orientation in undo:
        stored = upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = prepare(open_image(encoded(stored, file_format, exif=exif)), SMALL).astype(int)
    assert pixels.shape == (24, 16, 3)
    assert np.abs(pixels[3, 3] - (255, 0, 0)).max() < 30
    assert np.abs(pixels[20, 3] - (0, 0, 255)).max() < 30
    assert np.abs(pixels[3, 13] - (0, 0, 255)).max() < 30


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"\0"])
def test_damaged_exif_is_passed_over(exif):
    image = gradient()
    image.info["exif"] = exif
    assert prepare(image, SMALL).shape == (16, 24, 3)


def test_the_picture_is_not_changed():
    image = gradient().convert("P")
    before = image.tobytes(), image.mode, image.size
    prepare(image, SMALL)
    assert (image.tobytes(), image.mode, image.size) == before


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_paths_and_bytes_open_alike(tmp_path, file_format):
    data = encoded(gradient(), file_format)
    path = tmp_path / "picture"
    path.write_bytes(data)
    images = [open_image(source) for source in (data, path, str(path))]
    assert {image.size for image in images} == {(48, 32)}
    assert len({image.tobytes() for image in images}) == 1


def test_an_animation_gives_its_first_frame(tmp_path):
    path = tmp_path / "moving.gif"
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert (prepare(open_image(path), SMALL) == (255, 0, 0)).all()


def test_declared_size_is_checked_before_decoding():
    with pytest.raises(ImageError, match="has 1,000,000 pixels, the limit is 999,999"):
        open_image(declared_png(1000, 1000), max_pixels=999_999)


@pytest.mark.parametrize("size", [(9600, 10000), (13000, 13000), (60000, 60000), (2**31 - 1, 1)])
def test_huge_declared_sizes_are_errors_and_never_warnings(size):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError):
            open_image(declared_png(*size), max_pixels=90_000_000)


def test_a_large_picture_within_the_limit_opens_without_a_warning():
    bilevel = encoded(Image.new("1", (9500, 10000)))
    assert open_image(bilevel).size == (9500, 10000)


@pytest.mark.parametrize("data", [b"", b"plainly no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(ImageError, match=r"^it is not a picture of a known format$"):
        open_image(data)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_truncated_files_are_refused(file_format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), file_format)
    with pytest.raises(ImageError):
        open_image(data[: len(data) // 2])


def test_a_missing_file_and_a_folder_are_image_errors(tmp_path):
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError, match="the picture cannot be read"):
            open_image(path)


def test_a_picture_that_fails_late_is_an_image_error():
    lazy = Image.open(io.BytesIO(encoded(gradient())[:100]))
    with pytest.raises(ImageError, match="the picture cannot be prepared"):
        prepare(lazy, SMALL)


def test_an_empty_picture_is_an_image_error():
    with pytest.raises(ImageError):
        prepare(Image.new("RGB", (0, 5)), SMALL)


def test_the_limit_must_be_positive():
    with pytest.raises(ValueError, match="max_pixels must be at least 1, got 0"):
        open_image(b"", max_pixels=0)


@given(damage=st.data())
def test_damaged_files_give_a_picture_or_an_image_error(damage):
    data = bytearray(
        encoded(gradient(), damage.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF"])))
    )
    for _ in range(damage.draw(st.integers(1, 4))):
        position = damage.draw(st.integers(0, len(data) - 1))
        data[position] = damage.draw(st.integers(0, 255))
    try:
        pixels = prepare(open_image(bytes(data), max_pixels=1_000_000), SMALL)
    except ImageError:
        return
    assert pixels.shape in {(16, 24, 3), (24, 16, 3)}


def test_a_file_that_is_a_program_is_never_run(tmp_path, monkeypatch):
    gs = tmp_path / "gs"
    gs.write_text(f"#!/bin/sh\n: > {tmp_path}/ran\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"
    with pytest.raises(ImageError, match="it is not a picture of a known format"):
        open_image(program)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_grey_takes_little_memory_and_strips_do_not_show(mode):
    values = np.linspace(0, 65535, 1500 * 1600).reshape(1500, 1600)
    kind = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
    image = Image.fromarray(values.astype(kind))
    assert image.mode == mode
    tracemalloc.start()
    try:
        pixels = prepare(image, CipherParameters(height=150, width=160, block_size=10))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 24 * values.size
    expected = np.rint(values.astype(kind).astype(np.float64) / 257).astype(np.uint8)
    reference = Image.fromarray(expected).convert("RGB")
    assert np.array_equal(pixels, np.array(reference.resize((160, 150), Image.Resampling.BICUBIC)))


@pytest.mark.parametrize("file_format", ["PCX", "ICO", "SGI", "DDS"])
def test_decoders_of_formats_that_nobody_keeps_pictures_in_are_not_tried(file_format):
    data = encoded(gradient(), file_format)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == file_format
    with pytest.raises(ImageError, match="it is not a picture of a known format"):
        open_image(data)
    assert declared_pixels(data) == 0


def test_what_a_header_declares_is_told_without_decoding():
    assert declared_pixels(declared_png(60_000, 2)) == 120_000
    assert declared_pixels(declared_png(60_000, 60_000)) == 0  # more than Pillow looks at
    assert declared_pixels(b"no picture") == 0


def with_scans(count):
    """Return a JPEG that decodes to grey, with so many scans behind its own six."""
    data = encoded(Image.new("L", (48, 48), 128), "JPEG", progressive=True)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * count + data[end:]


def test_the_scans_of_a_jpeg_are_bounded(tmp_path, monkeypatch):
    """94 KB of them, over 16 million pixels, decoded for 13 s."""
    monkeypatch.setattr(preparation, "_PIECE_BYTES", 7)  # markers lie across the pieces
    assert prepare(open_image(with_scans(MAX_SCANS - 6)), SMALL).shape == (16, 24, 3)
    path = tmp_path / "scans.jpg"
    path.write_bytes(with_scans(MAX_SCANS - 5))
    for source in (path, path.read_bytes()):
        with pytest.raises(ImageError, match="the picture has 101 scans, the limit is 100"):
            open_image(source)


def test_no_number_of_a_picture_makes_a_warning():
    """Of NaN there are some that warn when they are copied; warnings are errors here."""
    samples = np.zeros((4, 6), np.float32)
    samples.view(np.uint32)[1, 2] = 0x7F800001
    assert prepare(Image.fromarray(samples), SMALL).shape == (16, 24, 3)


def test_pictures_are_prepared_as_the_vectors_say(vectors):
    """Of every Pillow: 13 and later resample columns before rows where that is less work."""
    assert vectors("preparation.json") == preparation_vectors.document()


def test_rows_are_resampled_before_columns():
    plain = Image.fromarray(preparation_vectors.picture(260, 90, transparent=False)[..., :3])
    wide = plain.resize((128, 260), Image.Resampling.BICUBIC)
    expected = np.array(wide.resize((128, 192), Image.Resampling.BICUBIC))
    assert np.array_equal(prepare(plain, CipherParameters()), expected)
