"""The order of a cipher-image's blocks, from nothing but how their borders fit: a greedy solver.

As Gallagher's (2012): the pairs of blocks that fit best, compared with the second best for either
block, are joined first; groups of joined blocks are joined in turn, where none covers another and
all stay within the picture's size. At last the largest group is laid into the frame, and what is
left fills the gaps, best fit first.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.leakage.borders import Costs

Grid = NDArray[np.intp]

_CANDIDATES = 8
"""For each block and direction, so many of the best fitting ones are tried."""

_STEPS = ((0, 1), (1, 0))
"""Rows and columns from a block to the one right of it, and below it."""


def solve(costs: Costs, rows: int, columns: int) -> Grid:
    """Return which block stands where, (rows, columns), each block once."""
    groups = _Groups(costs.shape[1], rows, columns)
    for direction, first, second in _pairs(costs):
        groups.join(first, second, *_STEPS[direction])
    return _filled(groups.laid_out(), costs)


def _pairs(costs: Costs) -> list[tuple[int, int, int]]:
    """Return (direction, block, its neighbour), most certain first."""
    found = []
    for direction, table in enumerate(costs):
        best = np.argpartition(table, _CANDIDATES, axis=1)[:, :_CANDIDATES]
        certain = np.minimum(_second_best(table)[:, None], _second_best(table.T)[None, :])
        for first, seconds in enumerate(best):
            for second in seconds:
                ratio = table[first, second] / certain[first, second]
                found.append((ratio, direction, first, int(second)))
    return [(direction, first, second) for _, direction, first, second in sorted(found)]


def _second_best(table: NDArray[np.float64]) -> NDArray[np.float64]:
    second: NDArray[np.float64] = np.partition(table, 1, axis=1)[:, 1] + 1e-9
    return second


class _Groups:
    """Blocks that have been joined, each group with places of its own."""

    def __init__(self, count: int, rows: int, columns: int) -> None:
        self._rows, self._columns = rows, columns
        self._group = list(range(count))
        self._places = {block: {block: (0, 0)} for block in range(count)}

    def join(self, first: int, second: int, down: int, right: int) -> None:
        """Join the groups of two neighbours, unless they are one or do not go together."""
        one, two = self._group[first], self._group[second]
        if one == two:
            return
        here, there = self._places[one], self._places[two]
        row, column = here[first][0] + down, here[first][1] + right
        by = row - there[second][0], column - there[second][1]
        moved = {block: (y + by[0], x + by[1]) for block, (y, x) in there.items()}
        places = [*here.values(), *moved.values()]
        if self._is_free(places):
            here.update(moved)
            del self._places[two]
            for block in moved:
                self._group[block] = one

    def laid_out(self) -> Grid:
        """Return the largest group from the frame's upper left corner on, -1 where nothing is."""
        largest = max(self._places.values(), key=len)
        top = min(row for row, _ in largest.values())
        left = min(column for _, column in largest.values())
        grid = np.full((self._rows, self._columns), -1, dtype=np.intp)
        for block, (row, column) in largest.items():
            grid[row - top, column - left] = block
        return grid

    def _is_free(self, places: list[tuple[int, int]]) -> bool:
        rows = [row for row, _ in places]
        columns = [column for _, column in places]
        fits = max(rows) - min(rows) < self._rows and max(columns) - min(columns) < self._columns
        return fits and len(set(places)) == len(places)


def _filled(grid: Grid, costs: Costs) -> Grid:
    """Return the grid with its gaps filled, those with most neighbours first."""
    rows, columns = grid.shape
    free = sorted(set(range(costs.shape[1])) - set(grid.ravel().tolist()))
    while free:
        padded = np.pad(grid, 1, constant_values=-1)
        around = np.stack(
            [padded[1:-1, :-2], padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1]]
        )
        neighbours = np.where(grid == -1, (around != -1).sum(axis=0), -1)
        row, column = np.unravel_index(neighbours.argmax(), (rows, columns))
        left, above, right, below = around[:, row, column]
        fit = np.zeros(len(free))
        for direction, before, after in ((0, left, right), (1, above, below)):
            fit += costs[direction, before, free] if before != -1 else 0
            fit += costs[direction, free, after] if after != -1 else 0
        grid[row, column] = free.pop(int(fit.argmin()))
    return grid
