import re
from pathlib import Path

from PIL import Image

from cipherlens.client.gallery import Gallery, GalleryHit, GalleryRow, write_gallery

RED = Image.new("RGB", (30, 20), "red")
HIT = GalleryHit(label="<i>&\"'", score="0.9", picture=RED, seen=RED, relevant=True)


def page(*hits: GalleryHit) -> str:
    row = GalleryRow(label="<script>alert(1)</script>", picture=RED, seen=RED, hits=hits)
    return Gallery(title="A & B", lead="<b>", facts={"<k>": "<v>"}, rows=[row]).to_html()


def test_all_text_is_escaped() -> None:
    text = page(HIT)
    for raw in ("<script", "<i>", "<k>", "<v>", "<b>\n"):
        assert raw not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "A &amp; B" in text
    assert 'alt="&lt;i&gt;&amp;&quot;&#x27;"' in text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(HIT)
    assert "http" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text
    sources = re.findall(r'src="([^"]{0,30})', text)
    assert len(sources) == 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_verdicts_are_words_and_not_only_colours() -> None:
    right = page(HIT)
    wrong = page(GalleryHit(label="x", score="1", picture=RED, relevant=False))
    unknown = page(GalleryHit(label="x", score="1", picture=RED))
    assert "✓ right" in right
    assert "✗ wrong" in wrong
    assert "✓" not in unknown
    assert "✗" not in unknown


def test_a_hit_that_does_not_open_says_so() -> None:
    text = page(GalleryHit(label="x", score="1", picture=None, note="does not open"))
    assert "not shown" in text
    assert "does not open" in text


def test_transparent_pictures_stand_on_white(tmp_path: Path) -> None:
    import base64
    import io

    clear = Image.new("RGBA", (30, 20), (0, 0, 0, 0))
    text = page(GalleryHit(label="x", score="1", picture=clear))
    data = re.findall(r'src="data:image/jpeg;base64,([^"]+)', text)[-1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.getpixel((5, 5)) == (255, 255, 255)


def test_writing_leaves_only_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    write_gallery(path, Gallery(title="new"))
    assert "<title>new</title>" in path.read_text()
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_a_name_that_utf_8_cannot_write_does_not_stop_the_page(tmp_path: Path) -> None:
    premultiplied = Image.new("LA", (4, 4)).convert("La")
    row = GalleryRow(label="q\udcff.png", picture=premultiplied, seen=None, hits=[])
    write_gallery(tmp_path / "page.html", Gallery(title="t", rows=[row]))
    assert "q?.png" in (tmp_path / "page.html").read_text(encoding="utf-8")
