"""Processor time counts children, those at work and those that have ended."""

import os
import subprocess
import sys

from benchmarks.harness.processor_time import cpu_s

BURN = "import time\nwhile time.process_time() < .3: pass\n"
WAIT = "print('done', flush=True)\ninput()"
PARENT = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}])
child = subprocess.Popen([sys.executable, "-c", {BURN + WAIT!r}], stdin=-1)
sys.stdin.read()
child.communicate()
"""


def test_children_are_counted():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "done\n"
        spent_s = cpu_s(process.pid)
        process.communicate("")
    assert spent_s >= 0.5  # .3 each, in ticks of the kernel's; one of them alone would be less


def test_this_process_has_spent_some():
    assert cpu_s(os.getpid()) > 0
