"""How well binary codes rank a database: the figures expected over orders of equal distances."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.codes import Codes
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.code_metrics import (
    expected_average_precision,
    expected_precision_at,
    interpolated_precision_by_distance,
    tie_groups,
)
from cipherlens.model.evaluation.figures import Evaluation
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
) -> Evaluation:
    """Return how well the codes rank the database for the queries that have anything to find.

    The arguments, but for `ranks`, are those of `tie_groups`.

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
    return Evaluation(
        queries=len(groups),
        mean_average_precision=float(expected_average_precision(groups).mean()),
        chance=chance_map(groups.relevant.sum(axis=1), total),
        precision_at={
            k: float(expected_precision_at(groups, k).mean()) for k in ranks if k <= total
        },
        precision_at_recall=tuple(interpolated_precision_by_distance(groups).mean(axis=0).tolist()),
    )


def encode_images(encoder: HashEncoder, images: PreparedImages) -> Codes:
    """Return (n, ceil(bits / 8)) uint8 packed codes of plain images of either orientation.

    Raises:
        ValueError: if the images do not have the network's size.
    """
    codes = np.empty((len(images), -(-encoder.bits // 8)), dtype=np.uint8)
    for positions, pixels in by_shape(images.images, BATCH):
        codes[positions] = encoder.encode(pixels)
    return codes
