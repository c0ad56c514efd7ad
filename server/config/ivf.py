"""When and how well indexes are trained."""

import math
from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from cipherlens.server.config.kinds import TABLE, Count, Doc, Rows


@dataclass(frozen=True, kw_only=True, slots=True, config=TABLE)
class IvfSettings:
    """When an index is trained, and how well a default search must then do."""

    minimum_rows: Annotated[
        Rows,
        Doc(
            "Live vectors from which lists or a graph pay, and codes whose index was asked for; "
            "below, every search is exact. At least 100."
        ),
    ] = 2000
    minimum_codes: Annotated[
        Rows, Doc("Live codes from which lists pay where no index was asked for.")
    ] = 50_000
    lists_per_root: Annotated[
        Annotated[float, Field(gt=0, allow_inf_nan=False)],
        Doc("Lists as a multiple of the square root of the live rows."),
    ] = 2.0
    growth: Annotated[
        Annotated[float, Field(gt=1, allow_inf_nan=False)],
        Doc("Train anew when live rows have grown by this factor."),
    ] = 2.0
    target_recall: Annotated[
        Annotated[float, Field(gt=0, le=1)],
        Doc(
            "What the mean recall of a default search must exceed, with 99 % confidence, where "
            "queries are like what is stored. Above the .99 promised, as they never quite are."
        ),
    ] = 0.993
    recall_at: Annotated[Count, Doc("k of that recall.")] = 20
    calibration_queries: Annotated[
        Count, Doc("Stored rows that are kept out of training and serve as queries.")
    ] = 512

    def nlist(self, live: int) -> int:
        """Return how many lists so many live rows get, at least 1 and at most one each two."""
        return max(1, min(round(self.lists_per_root * math.sqrt(live)), live // 2))
