"""A page that shows searches: the query, what the server saw, and the hits decrypted.

One HTML file with everything in it: no network, no script. It holds plain pictures; whoever may
read the file sees them.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from PIL import Image

from cipherlens.base import replace_file
from cipherlens.crypto.preparation import on_white

_THUMBNAIL = (288, 288)
_QUALITY = 88


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class GalleryHit:
    """A hit as it is shown.

    Attributes:
        label: the item id, or what people call it.
        score: such as "0.913" or "3 bits".
        picture: decrypted; None where it is not there or does not open, with the reason as note.
        seen: what the server holds of it, shown while the pointer is on the hit.
        relevant: whether it is of the query's category, where categories are known.
        note: a few words more.
    """

    label: str
    score: str
    picture: Image.Image | None
    seen: Image.Image | None = None
    relevant: bool | None = None
    note: str = ""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class GalleryRow:
    """A query and its hits, best first; `seen` is the query as the server saw it."""

    label: str
    picture: Image.Image
    seen: Image.Image | None
    hits: Sequence[GalleryHit]
    note: str = ""


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Gallery:
    """A page.

    Attributes:
        title: its heading.
        lead: a sentence or two below the heading.
        facts: figures to show, by what they are.
        rows: the searches.
    """

    title: str
    lead: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[GalleryRow] = ()

    def to_html(self) -> str:
        """Return the page; all text in it is escaped."""
        title = escape(self.title)
        lead = f'<p class="lead">{escape(self.lead)}</p>' if self.lead else ""
        rows = "\n".join(_row(row) for row in self.rows)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; style-src 'unsafe-inline'\">\n"
            f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n"
            f"<body><header><h1>{title}</h1>{lead}{_facts(self.facts)}</header>\n"
            f"<main>\n{rows}\n</main>\n</body></html>\n"
        )


def write_gallery(path: Path, gallery: Gallery) -> None:
    """Put the page at path so that a crash leaves the old one or the new, never a mix."""
    # A file's name may hold what UTF-8 cannot write; the page shows it as a question mark.
    replace_file(path, gallery.to_html().encode(errors="replace"))


def _facts(facts: Mapping[str, str]) -> str:
    if not facts:
        return ""
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    return f"<dl>{cells}</dl>"


def _row(row: GalleryRow) -> str:
    seen = ""
    if row.seen is not None:
        seen = _figure(_image(row.seen, "the query as the server sees it"), "what the server sees")
    hits = "".join(f"<li>{_hit(number, hit)}</li>" for number, hit in enumerate(row.hits, 1))
    note = f'<p class="note">{escape(row.note)}</p>' if row.note else ""
    return (
        f"<section><h2>{escape(row.label)}</h2>{note}\n"
        f'<div class="search"><div class="query">'
        f"{_figure(_image(row.picture, 'the query'), 'query')}{seen}</div>\n"
        f'<ol class="hits">{hits or "<li>no hits</li>"}</ol></div></section>'
    )


def _figure(image: str, caption: str) -> str:
    """Return an image with a caption, which is not escaped."""
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _hit(number: int, hit: GalleryHit) -> str:
    verdict = {True: "right", False: "wrong", None: ""}[hit.relevant]
    mark = {True: "✓ right", False: "✗ wrong", None: ""}[hit.relevant]
    picture = '<div class="missing">not shown</div>'
    if hit.picture is not None:
        picture = _image(hit.picture, hit.label)
    seen = f'<div class="seen">{_image(hit.seen, "as stored")}</div>' if hit.seen else ""
    badge = f' <b class="{verdict}">{mark}</b>' if mark else ""
    note = f"<br>{escape(hit.note)}" if hit.note else ""
    caption = (
        f'<span class="score">{number}. {escape(hit.score)}</span>{badge}<br>'
        f'<span class="label">{escape(hit.label)}</span>{note}'
    )
    return f'<figure class="hit {verdict}"><div class="frame">{picture}{seen}</div>' + (
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _image(image: Image.Image, alternative: str) -> str:
    small = on_white(image)
    small.thumbnail(_THUMBNAIL)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{data}" alt="{escape(alternative)}">'


_STYLE = """
:root { color-scheme: light dark; --ground: #f6f7f9; --card: #fff; --ink: #1c2430;
  --quiet: #5d6878; --line: #dfe3e9; --right: #1a7f4b; --wrong: #b3362b; --accent: #3456c8; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161c; --card: #1b212a;
  --ink: #e6eaf0; --quiet: #9aa6b6; --line: #2c3541; --right: #4cc38a; --wrong: #f0786b;
  --accent: #8da8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 2rem 1.25rem 4rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 0 0 .75rem; font-size: 1.05rem; overflow-wrap: anywhere; }
.lead, .note { margin: .25rem 0 1rem; max-width: 70ch; color: var(--quiet); }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1rem 0 1.5rem; }
dl div { padding: .5rem .9rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); }
dt { color: var(--quiet); font-size: .8rem; }
dd { margin: 0; font-weight: 600; font-variant-numeric: tabular-nums; }
section { margin: 0 0 1.25rem; padding: 1.1rem; border: 1px solid var(--line);
  border-radius: .75rem; background: var(--card); }
.search { display: grid; grid-template-columns: 13rem 1fr; gap: 1.25rem; }
.query { display: grid; gap: .75rem; align-content: start; }
.query img { border: 2px solid var(--accent); }
.hits { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr));
  gap: .75rem; margin: 0; padding: 0; list-style: none; align-content: start; }
figure { margin: 0; }
figcaption { padding-top: .3rem; color: var(--quiet); font-size: .8rem; line-height: 1.35; }
img { display: block; width: 100%; aspect-ratio: 3 / 2; object-fit: contain; background: #fff;
  border-radius: .35rem; }
.frame { position: relative; border: 2px solid var(--line); border-radius: .5rem;
  overflow: hidden; }
.right .frame { border-color: var(--right); }
.wrong .frame { border-color: var(--wrong); }
.seen { position: absolute; inset: 0; opacity: 0; transition: opacity .15s; }
.frame:hover .seen { opacity: 1; }
.missing { display: grid; place-items: center; aspect-ratio: 3 / 2; }
.score { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.label { overflow-wrap: anywhere; }
b.right { color: var(--right); } b.wrong { color: var(--wrong); }
@media (max-width: 44rem) { .search { grid-template-columns: 1fr; }
  .query { grid-template-columns: 1fr 1fr; } }
"""
