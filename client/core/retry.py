"""When a call is sent again, and after how long: rules on a failure, the attempt and the time."""

from cipherlens.client.errors import CipherLensError, ResourceExhausted

MAX_TRIES = 5
"""How often a call is sent at most; gRPC repeats what found no server no more often than that."""

_MAX_PAUSE_S = 5.0


def pause_s(
    failure: CipherLensError, attempt: int, left_s: float, spread: float = 1.0
) -> float | None:
    """Return how long to wait before a call is sent again; None if it is not to be.

    A server that has too much to do refuses a call before it begins, and says how long to wait.
    Each further pause is twice as long. Without such a word the refusal is for good, as that of a
    message that is too large.

    Args:
        failure: of the last try.
        attempt: tries before that one.
        left_s: until the deadline.
        spread: a random factor about 1, so that clients do not all return at once.
    """
    if not isinstance(failure, ResourceExhausted) or failure.retry_after_s is None:
        return None
    pause = min(_MAX_PAUSE_S, failure.retry_after_s * float(2**attempt)) * spread
    return pause if attempt + 1 < MAX_TRIES and pause < left_s else None
