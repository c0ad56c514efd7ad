"""What is shown of items."""

import io

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client
from cipherlens.client.web.pictures import MAX_SIDE, code_view, preview, vector_view
from cipherlens.crypto import ImageError, Original
from tests.client.malicious import between


def file_of(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(data):
    return Image.open(io.BytesIO(data))


def test_a_preview_is_a_picture_of_its_own(noise):
    data = file_of(noise(1, (600, 300)), "JPEG", comment=b"where I live")
    small = preview(data, 100)
    assert opened(small).size == (100, 50)
    assert opened(small).format == "JPEG"
    assert b"where I live" in data
    assert b"where I live" not in small


def test_a_preview_stands_the_right_way_up(noise):
    turned = Image.Exif()
    turned[0x0112] = 6
    data = file_of(noise(1, (60, 30)), "JPEG", exif=turned)
    assert opened(preview(data, 100)).size == (30, 60)


def test_a_small_picture_stays_small(noise):
    assert opened(preview(file_of(noise(1, (20, 10))), 100)).size == (20, 10)


@pytest.mark.parametrize("side", [0, MAX_SIDE + 1])
def test_other_sides_are_refused(noise, side):
    with pytest.raises(ValueError, match="side must be 1 to 2048"):
        preview(file_of(noise(1)), side)


def test_what_is_no_picture_is_told():
    with pytest.raises(ImageError):
        preview(b"<script>alert(1)</script>", 100)


def test_a_code_shows_its_bits():
    view = np.asarray(code_view(np.array([0b00000001, 0b11111111], np.uint8)))
    cells = view[::12, ::12]
    assert cells.tolist() == [[235] + [20] * 7, [235] * 8]


def test_a_vector_shows_its_numbers():
    view = np.asarray(vector_view(np.array([-2.0, 0.0, 2.0], np.float32)))
    assert view[0, ::12][:3].tolist() == [20, 128, 235]
    assert vector_view(np.zeros(300, np.float32)).getextrema() == (128, 235)


def test_the_page_gives_picture_original_and_what_the_server_has(shown, client, codes, noise):
    data = file_of(noise(3, (50, 40)))
    code = np.arange(6, dtype=np.uint8)[None]
    client.index_codes(codes, ["a/x\N{SNOWMAN}.png"], code, originals=[data])
    page = shown(codes.name)
    item_id = "a/x\N{SNOWMAN}.png"
    picture = page.ask("picture", id=item_id)
    assert picture.headers["content-type"] == "image/jpeg"
    assert opened(picture.body).size == (50, 40)
    assert page.ask("picture", id=item_id).body == picture.body
    seen = opened(page.ask("seen", id=item_id).body)
    masked = client.masked(codes, code)
    assert np.array_equal(np.asarray(seen), np.asarray(code_view(masked[0])))
    original = page.ask("original", id=item_id)
    assert original.body == data
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''x%E2%98%83.png"
    )


def test_what_cannot_be_shown_says_why(shown, client, codes):
    code = np.arange(6, dtype=np.uint8)[None]
    client.index_codes(codes, ["bare"], code)
    text = Original(media_type="text/html", data=b"<script>alert(1)</script>")
    client.index_codes(codes, ["text"], code, originals=[text])
    page = shown(codes.name)
    assert page.ask("picture", id="bare").status == 400
    assert page.ask("picture", id="text").status == 415
    assert page.ask("original", id="text").headers["content-type"] == "application/octet-stream"
    missing = page.ask("picture", id="none")
    assert (missing.status, missing.document) == (404, {"error": "item 'none' is missing"})
    assert page.ask("picture").document == {"error": "id is missing"}
    assert page.ask("picture", id="bare", side="x").status == 400


def test_an_item_that_was_altered_is_not_shown(target, key, shown, client, codes, noise):
    code = np.arange(6, dtype=np.uint8)[None]
    client.index_codes(codes, ["a"], code, originals=[file_of(noise(3))])

    def alter(_request, answer):
        sealed = answer.item.sealed_original
        answer.item.sealed_original = sealed[:-1] + bytes([sealed[-1] ^ 1])
        return answer

    with between(target) as server, Client(server.target, key=key) as reader:
        server.alter["Fetch"] = alter
        page = shown(codes.name, reader)
        for path in ("picture", "original"):
            answer = page.ask(path, id="a")
            assert (answer.status, answer.document) == (
                409,
                {"error": "the sealed data does not open"},
            )


def test_originals_are_fetched_where_they_are_shown_alone(target, key, shown, client, codes, noise):
    code = np.arange(6, dtype=np.uint8)[None]
    client.index_codes(codes, ["a"], code, originals=[file_of(noise(3))])
    sealed = []

    def note(_request, answer):
        sealed.append(bool(answer.item.sealed_original))
        return answer

    with between(target) as server, Client(server.target, key=key) as reader:
        server.alter["Fetch"] = note
        page = shown(codes.name, reader)
        assert page.ask("seen", id="a").status == 200
        assert page.send("search", id="a").status == 200
        assert page.ask("picture", id="a").status == 200
    assert sealed == [False, False, True]
