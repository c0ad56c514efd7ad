"""The sheet of what an attacker sees: cipher-images, and what the attacks make of them."""

import io
from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from benchmarks.leakage.blocks import Pixels, blocks_of, pictures_of
from benchmarks.leakage.borders import costs, rough_blocks
from benchmarks.leakage.jigsaw import solve
from benchmarks.leakage.known_pictures import learn, open_pictures
from benchmarks.leakage.owner import Owner
from benchmarks.leakage.sheet import sheet
from benchmarks.methods.cases import Case
from cipherlens.crypto import CipherParameters, Scope

_SEED, _SIZE = 11, 16


def drawn(shown: Pixels, known: Pixels) -> bytes:
    """Return the sheet as a PNG.

    Args:
        shown: (n, h, w, 3) pictures, of which the attacker has the cipher-images.
        known: (4, h, w, 3) others that he knows beside their cipher-images.
    """
    columns = {
        "the pictures": shown,
        "M = 1/4\nwhat the server has": _owner(1, shown).seen(shown),
        "M = all\nwhat the server has": _owner(4, shown).seen(shown),
        "M = 1/4, one key\none known picture": _opened(1, shown, known[:1]),
        "M = all, one key\nfour known pictures": _opened(4, shown, known),
        "M = 0, fresh keys\nborders alone": _put_together(0, shown),
        "M = 1/4, fresh keys\nborders alone": _put_together(1, shown),
        "M = all, fresh keys\nborders alone": _put_together(4, shown),
    }
    return _png(columns)


def examples(shown: Pixels) -> bytes:
    """Return E2E's Fig. 4 of (n, h, w, 3) pictures as a PNG: each beside its cipher-images."""
    columns = {"the pictures": shown}
    for size in (8, 16):
        for quarters in (1, 2, 3):
            parameters = _parameters(quarters, shown, Scope.COLLECTION, size)
            name = f"P = {size}, M = {parameters.substituted_blocks}"
            columns[name] = Owner(parameters, _SEED).seen(shown)
    return _png(columns)


def _png(columns: Mapping[str, Pixels]) -> bytes:
    file = io.BytesIO()
    sheet(columns).save(file, "PNG", optimize=True)
    return file.getvalue()


def _parameters(
    quarters: int, pictures: Pixels, scope: Scope, block_size: int = _SIZE
) -> CipherParameters:
    case = Case(block_size=block_size, share=Fraction(quarters, 4), scope=scope)
    return case.parameters(*pictures.shape[1:3])


def _owner(quarters: int, pictures: Pixels, scope: Scope = Scope.COLLECTION) -> Owner:
    return Owner(_parameters(quarters, pictures, scope), _SEED)


def _opened(quarters: int, shown: Pixels, known: Pixels) -> Pixels:
    owner = _owner(quarters, shown)
    opened, _ = open_pictures(learn(known, owner.seen(known), _SIZE), owner.seen(shown), _SIZE)
    return opened


def _put_together(quarters: int, shown: Pixels) -> Pixels:
    owner = _owner(quarters, shown, Scope.IMAGE)
    return np.stack([_solved(each, owner.parameters) for each in owner.seen(shown)])


def _solved(cipher: Pixels, parameters: CipherParameters) -> Pixels:
    height, width, _ = cipher.shape
    blocks = blocks_of(cipher[None], _SIZE)[0]
    substituted = rough_blocks(blocks[None], parameters.substituted_blocks)
    grid = solve(costs(blocks[None], substituted), height // _SIZE, width // _SIZE)
    return np.asarray(pictures_of(blocks[grid.ravel()][None], height, width)[0])
