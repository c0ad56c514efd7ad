"""What takes its time comes second."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cipherlens.server.priority import give_way, switch_often


def nice():
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
def test_a_thread_gives_way_to_all_others_of_its_process():
    before = nice()
    with ThreadPoolExecutor(1, initializer=give_way) as pool:
        assert pool.submit(nice).result() > before
    assert nice() == before


def test_the_interpreter_is_handed_on_within_a_millisecond():
    before = sys.getswitchinterval()
    try:
        switch_often()
        assert sys.getswitchinterval() <= 0.001
    finally:
        sys.setswitchinterval(before)
