"""Tags of items by chance, and the filters that keep a part of all of them."""

import numpy as np

from benchmarks.timing.choice_data import SEED
from cipherlens.server.engine import TagFilter

SHARES = {"1 %": 0.01, "10 %": 0.1, "50 %": 0.5}


def drawn_tokens(size: int) -> list[bytes]:
    """Return the tokens of each item, one behind the other: each by chance."""
    draw = np.random.default_rng(SEED)
    has = {name: draw.random(size) < share for name, share in SHARES.items()}
    return [b"".join(_token(name) for name in SHARES if has[name][item]) for item in range(size)]


def kept_by(share: str) -> TagFilter:
    """Return the filter that keeps such a part of all items."""
    return TagFilter(all_of=(_token(share),))


def _token(name: str) -> bytes:
    return name.encode().ljust(16)
