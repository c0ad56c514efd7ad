import pytest

from cipherlens.client import ResourceExhausted, Unavailable
from cipherlens.client.core.retry import MAX_TRIES, pause_s

BUSY = ResourceExhausted("busy", retry_after_s=0.5)


def test_the_pause_doubles_with_every_try_and_stops_growing() -> None:
    assert [pause_s(BUSY, attempt, 60) for attempt in range(MAX_TRIES - 1)] == [0.5, 1, 2, 4]
    assert pause_s(ResourceExhausted("busy", retry_after_s=3), 2, 60) == 5
    assert pause_s(BUSY, 1, 60, spread=0.75) == 0.75


@pytest.mark.parametrize(
    ("failure", "attempt", "left_s"),
    [
        (BUSY, MAX_TRIES - 1, 60),  # the last try
        (BUSY, 0, 0.5),  # the deadline comes first
        (ResourceExhausted("message too large"), 0, 60),  # nothing was said of waiting
        (Unavailable("no server", retry_after_s=1), 0, 60),  # gRPC has tried again itself
    ],
)
def test_what_is_not_sent_again(failure: Exception, attempt: int, left_s: float) -> None:
    assert pause_s(failure, attempt, left_s) is None
