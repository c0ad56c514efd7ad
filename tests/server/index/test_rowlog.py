import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.server.index.rowlog import RowLog


def numbered(start, count):
    return np.arange(start, start + count, dtype=np.float32).reshape(-1, 1)


def test_a_snapshot_never_changes():
    log = RowLog(1, np.float32)
    log.append(numbered(0, 5))
    log.mask(np.array([1]))
    before = log.snapshot
    rows, alive = before.rows.copy(), before.alive.copy()
    log.mask(np.array([0, 4]))
    log.append(numbered(5, 3000))
    assert before.dead == 1
    assert (before.rows == rows).all()
    assert (before.alive == alive).all()


def test_rows_are_copied():
    log = RowLog(1, np.float32)
    rows = numbered(0, 3)
    log.append(rows)
    rows[:] = 9
    assert log.snapshot.rows.ravel().tolist() == [0, 1, 2]


@given(
    steps=st.lists(
        st.one_of(
            st.integers(0, 1500),
            st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
        ),
        max_size=8,
    )
)
def test_any_history_keeps_every_row_and_mask(steps):
    log = RowLog(1, np.float32)
    length, dead = 0, set()
    for step in steps:
        if isinstance(step, int):
            log.append(numbered(length, step))
            length += step
        elif length:
            positions = [int(part * length) for part in step]
            log.mask(np.array(positions))
            dead.update(positions)
    snapshot = log.snapshot
    assert (snapshot.rows.ravel() == np.arange(length)).all()
    assert (snapshot.dead, snapshot.live) == (len(dead), length - len(dead))
    alive = np.ones(length, bool) if snapshot.alive is None else snapshot.alive
    assert set(np.flatnonzero(~alive)) == dead
    if dead:
        assert [snapshot.selector.is_member(i) for i in range(length)] == alive.tolist()


@pytest.mark.parametrize("positions", [[3], [-1], [0, 99]])
def test_a_position_outside_marks_nothing(positions):
    log = RowLog(1, np.float32)
    log.append(numbered(0, 3))
    with pytest.raises(ValueError, match=r"0\.\.2"):
        log.mask(np.array(positions))
    assert log.snapshot.live == 3


def test_selector_of_a_tail_counts_from_its_start():
    log = RowLog(1, np.float32)
    log.append(numbered(0, 20))
    assert log.snapshot.selector_from(3) is None
    log.mask(np.array([2, 5]))
    selector = log.snapshot.selector_from(3)
    assert [i for i in range(17) if not selector.is_member(i)] == [2]
    assert log.snapshot.selector_from(6) is None


def test_dead_fraction():
    log = RowLog(1, np.float32)
    assert log.snapshot.dead_fraction == 0.0
    log.append(numbered(0, 4))
    log.mask(np.array([1, 1]))
    assert log.snapshot.dead_fraction == 0.25
