"""What of both papers stands here: a row for each table and figure, ours beside theirs.

"Reproduced" is the paper's own figure, "on other data" the paper's experiment on pictures that can
be had, "at its scale" with the paper's pictures and numbers, "partly" what the paper leaves open or
we leave out, as the section says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.harness.registry import PAPER
from benchmarks.report.tables import figure, markdown

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A table or figure of a paper, and where our figures and the paper's are found.

    Attributes:
        what: the paper, the table or figure, and what is compared.
        state: "reproduced", "on other data" or "partly".
        benchmark: whose figures they are.
        rows: of ours.
        column: of ours.
        table: the title of the table that ours are in; None for the first.
        theirs: rows and column of the paper's table; None where it gives no numbers.
        theirs_in: the title of the table that theirs are in; None for the paper's.
        at_scale: rows or column of ours where they are others with the profile `paper`.
    """

    what: str
    state: str
    benchmark: str
    rows: tuple[str, ...]
    column: str
    table: str | None = None
    theirs: tuple[tuple[str, ...], str] | None = None
    theirs_in: str | None = None
    at_scale: Mapping[str, Any] = field(default_factory=dict)


_SHARES = ("M=1/4", "M=1/2", "M=3/4")
_BITS = tuple(f"{bits} bits" for bits in (12, 24, 32, 48))
_SCHEMES = (
    "Zhang [7]",
    "Li [8]",
    "Liang [9]",
    "Xia (AC) [10]",
    "Xia (BOEW) [13]",
    "Xu [11]",
    "Wang [14]",
    "Xia (LBP) [15]",
)
_HOUR = ("one key, M=1/4", "one key, M=3/4", "any key, M=1/4")
_OF_OWNERS = ("Xia (CSD)", "Xia (SCD)")
_OVER_CODES = "Over the time of 48 bits at 10,000 images"
_MADE = "Milliseconds for one picture: features (Fig. 4), trapdoor (Fig. 6)"
_CHOSEN = "Setting chosen on validation, judged on test (Table II)"
_FITS = "The law fitted to the six figures of each set"
_OFF = "farthest off (dB)"


def _of_schemes(what: str, column: str) -> Claim:
    return Claim(
        what=f"{what} on one core by DLHEIR, Xia (CSD), Xia (SCD), Qin",
        state="partly",
        benchmark="scheme-time",
        rows=("DLHEIR, 384x384", *_OF_OWNERS, "Qin"),
        column=column,
        table=_MADE,
    )


def _psnr(block_size: int, substituted: tuple[int, ...]) -> Claim:
    cases = [f"P={block_size}, M={each}" for each in substituted]
    return Claim(
        what=f"E2E, Table I: PSNR in dB at P={block_size}, M={'/'.join(map(str, substituted))}",
        state="on other data",
        benchmark="cipher-quality",
        rows=tuple(f"photographs, {each}" for each in cases),
        column="mean PSNR",
        theirs=(tuple(f"Corel10K, {each}" for each in cases), "mean PSNR"),
        at_scale={"rows": tuple(f"Corel10K, {each}" for each in cases)},
    )


def _settings(block_size: int) -> Claim:
    rows = tuple(f"P={block_size}, {share}" for share in _SHARES)
    return Claim(
        what=f"E2E, Tables II and III: mAP at P={block_size}, M=1/4, 1/2, 3/4; theirs the best of "
        "four settings on the test part, ours chosen on validation",
        state="on other data",
        benchmark="settings",
        rows=rows,
        column="test",
        table=_CHOSEN,
        theirs=(rows, "paper: best of four on test"),
        theirs_in=_CHOSEN,
    )


def _small_backbone(name: str, papers: str) -> Claim:
    rows = tuple(f"P=8, {share}" for share in _SHARES)
    return Claim(
        what=f"E2E, Table IV, on Fashion-MNIST, small networks: mAP of {name} at P=8, M=1/4, 1/2, "
        "3/4, theirs that of " + papers,
        state="partly",
        benchmark="fashion-mnist-tables",
        rows=rows,
        column=name,
        table="ViT and ResNet of as many parameters (Table IV)",
        theirs=(rows, papers),
    )


def _backbone(name: str, block_size: int) -> Claim:
    rows = tuple(f"P={block_size}, {share}" for share in _SHARES)
    return Claim(
        what=f"E2E, Table IV: mAP of {name} at P={block_size}, M=1/4, 1/2, 3/4",
        state="on other data",
        benchmark="backbones",
        rows=rows,
        column=name,
        theirs=(rows, name),
    )


CLAIMS = (
    _psnr(8, (96, 192, 288)),
    _psnr(16, (24, 48, 72)),
    Claim(
        what="E2E, Table I: how far its figures are from the law that is fitted to them, dB",
        state="on other data",
        benchmark="cipher-quality",
        rows=("photographs",),
        column=_OFF,
        table=_FITS,
        theirs=(("Corel10K (E2E, Table I)",), _OFF),
        theirs_in=_FITS,
        at_scale={"rows": ("Corel10K",)},
    ),
    _settings(8),
    _settings(16),
    Claim(
        what="E2E, Table II: mAP of Zhang, Li, Liang, Xia (AC), Xia (BOEW), Xu, Wang, Xia (LBP)",
        state="on other data",
        benchmark="methods",
        rows=_SCHEMES,
        column="OpenClipart, 64x96",
        theirs=(_SCHEMES, "Corel10K"),
        at_scale={"column": "Corel10K, 128x192"},
    ),
    Claim(
        what="E2E, Table II, on Fashion-MNIST: mAP of the same schemes and of our networks for one "
        "key at M=1/4, one key at M=3/4, any key at M=1/4",
        state="partly",
        benchmark="methods",
        rows=(*_SCHEMES, *(f"our ViT, {each}" for each in _HOUR)),
        column="Fashion-MNIST, 32x32",
        theirs=((*_SCHEMES, "P=8, M=1/4", "P=8, M=3/4"), "Corel10K"),
    ),
    *(_backbone(name, size) for name in ("ViT", "ResNet50") for size in (8, 16)),
    _small_backbone("ViT", "ViT"),
    _small_backbone("ResNet", "ResNet50"),
    Claim(
        what="DLHEIR, Table 1 and Fig. 3: P@20 in percent with 12/24/32/48 bits",
        state="on other data",
        benchmark="hash-precision",
        rows=tuple(f"120x120, {bits}" for bits in _BITS),
        column="P@20",
        theirs=(tuple(f"384x384, {bits}" for bits in _BITS), "P@20"),
        at_scale={"rows": tuple(f"384x384, {bits}" for bits in _BITS)},
    ),
    Claim(
        what="DLHEIR, Fig. 3: P@20 in percent of Xia (CSD) and Qin",
        state="on other data",
        benchmark="hash-methods",
        rows=("Xia (CSD), OpenClipart, 64x96", "Qin (SimHash), OpenClipart, 64x96"),
        column="P@20",
        at_scale={"rows": ("Xia (CSD), Corel10K, 128x192", "Qin (SimHash), Corel10K, 128x192")},
    ),
    Claim(
        what="DLHEIR, Table 2: parameters in 10^5 with 12/24/32/48 bits",
        state="reproduced",
        benchmark="network-cost",
        rows=tuple(f"DLHEIR, {bits}" for bits in _BITS),
        column="parameters",
        theirs=(tuple(f"DLHEIR, {bits}" for bits in _BITS), "parameters"),
    ),
    Claim(
        what="DLHEIR, Table 3: growth of retrieval time from 2,000 to 10,000 images with "
        "12/24/32/48 bits; the paper's unit is not known",
        state="partly",
        benchmark="retrieval-time",
        rows=tuple(f"{bits}, in process" for bits in _BITS),
        column="growth",
        theirs=(_BITS, "growth"),
    ),
    Claim(
        what="DLHEIR, Table 3: a search by Xia (CSD), Xia (SCD) and Qin over one of 48-bit codes",
        state="partly",
        benchmark="scheme-time",
        rows=(*_OF_OWNERS, "Qin"),
        column="ours",
        table=_OVER_CODES,
        theirs=((*_OF_OWNERS, "Qin"), "paper"),
        theirs_in=_OVER_CODES,
    ),
    _of_schemes("DLHEIR, Fig. 4: milliseconds to make a picture's features", "features"),
    Claim(
        what="DLHEIR, Fig. 5: milliseconds to build the index of 10,000 codes; the paper has none",
        state="partly",
        benchmark="index-time",
        rows=("codes, appended in process",),
        column="10,000",
        theirs=(("DLHEIR",), "10,000"),
    ),
    Claim(
        what="DLHEIR, Fig. 5: milliseconds to build the index of 10,000 pictures by Xia (CSD), "
        "Xia (SCD), Qin",
        state="partly",
        benchmark="scheme-time",
        rows=(*_OF_OWNERS, "Qin"),
        column="10,000",
        table="Milliseconds to build the index of what the owner has (Fig. 5)",
    ),
    _of_schemes("DLHEIR, Fig. 6: milliseconds to make a trapdoor", "trapdoor"),
    Claim(
        what="DLHEIR, Fig. 6: growth of trapdoor generation from 2,000 to 10,000 images",
        state="partly",
        benchmark="trapdoor-time",
        rows=("code, Fashion-MNIST hash network, through the service",),
        column="growth",
    ),
)


def papers_table(documents: Mapping[str, Document]) -> str:
    """Return the table, in Markdown, of all that was measured; "" if nothing was."""
    rows = {
        claim.what: _row(claim, documents[claim.benchmark])
        for claim in CLAIMS
        if claim.benchmark in documents
    }
    return markdown("of the papers", rows) if rows else ""


def _row(claim: Claim, document: Document) -> dict[str, str]:
    if document.get("profile") == PAPER and claim.state == "on other data":
        claim = replace(claim, state="at its scale", **claim.at_scale)
    return {
        "here": claim.state,
        "ours": _ours(claim, document),
        "the paper's": _theirs(claim, document),
        "section": f"[{claim.benchmark}](#{claim.benchmark})",
    }


def _ours(claim: Claim, document: Document) -> str:
    return _figures(document, claim.table, "results", claim.rows, claim.column)


def _theirs(claim: Claim, document: Document) -> str:
    if claim.theirs is None:
        return "a curve without numbers"
    return _figures(document, claim.theirs_in, "paper", *claim.theirs)


def _figures(
    document: Document, title: str | None, first: str, rows: tuple[str, ...], column: str
) -> str:
    """Return a column's figures of these rows, "not measured" in place of what is not there.

    They are in the table of this title, or in the document's `first` where there is none.
    """
    found = document if title is None else document.get("tables", {})
    table: Mapping[str, Mapping[str, Any]] = found.get(first if title is None else title, {})
    shown = str if column in document.get("exact", ()) else figure
    values = [table.get(row, {}).get(column) for row in rows]
    return " / ".join("not measured" if each is None else shown(each) for each in values)
