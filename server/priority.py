"""Who waits for whom when there is more work than processors."""

import os
import sys
import threading

# A search takes a tenth of a millisecond and asks for the interpreter several times on its way;
# Python's own 5 ms each time are what a search of the slowest hundredth took beside other work.
_SWITCH_S = 0.0001
_NICER = 5


def switch_often() -> None:
    """Let a thread that waits for the interpreter have it after a tenth of a millisecond."""
    sys.setswitchinterval(_SWITCH_S)


def give_way() -> None:
    """Let the kernel prefer other threads to the calling one from now on, where it can.

    What takes its time gives way to what is answered at once. Elsewhere than on Linux the
    priority is that of the whole process, and nothing is done.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, nice + _NICER)  # the kernel cuts it to 19
