"""How well binary codes rank a database: the figures expected over orders of equal distances."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import code_size_bytes
from cipherlens.model.codes import Codes
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.code_metrics import tie_groups
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.measures import FURTHER, Means, Measure
from cipherlens.model.evaluation.metrics import chance_map
from cipherlens.model.hash_encoder import HashEncoder

BATCH = 1024
RANKS = (20, 40, 60, 80, 100)  # DLHEIR Fig. 3


def evaluate_codes(
    query_codes: Codes,
    database_codes: Codes,
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    bits: int,
    exclude_self: bool = False,
    ranks: Sequence[int] = RANKS,
    further: Sequence[Measure] = FURTHER,
) -> Evaluation:
    """Return how well the codes rank the database for the queries that have anything to find.

    The arguments, but for `ranks` and `further`, are those of `tie_groups`.

    Raises:
        DataError: if no query has a relevant image in the database.
        TypeError: if codes are no uint8 arrays.
        ValueError: as `tie_groups` does.
    """
    groups = tie_groups(
        query_codes,
        database_codes,
        query_labels,
        database_labels,
        bits=bits,
        exclude_self=exclude_self,
    ).answerable()
    if not len(groups):
        raise DataError("no query has a relevant image in the database")
    total = int(groups.items[0].sum())
    means = Means([k for k in ranks if k <= total], further)
    means.add(groups)
    return means.evaluation(chance_map(groups.relevant.sum(axis=1), total))


def encode_images(encoder: HashEncoder, images: PreparedImages) -> Codes:
    """Return (n, ceil(bits / 8)) uint8 packed codes of plain images of either orientation.

    Raises:
        ValueError: if the images do not have the network's size.
    """
    codes = np.empty((len(images), code_size_bytes(encoder.bits)), dtype=np.uint8)
    for positions, pixels in by_shape(images.images, BATCH):
        codes[positions] = encoder.encode(pixels)
    return codes
