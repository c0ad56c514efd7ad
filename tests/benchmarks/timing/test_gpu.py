"""The prepared run for a GPU, tried on the CPU: two indexes there in place of one on either."""

import json

import numpy as np
import pytest

from benchmarks.harness.errors import NotHereError
from benchmarks.timing import gpu, gpu_indexes
from benchmarks.timing.gpu_indexes import CPU, GPU, in_turn, searched
from benchmarks.timing.gpu_servers import served
from cipherlens.server.index import Device, DeviceUnavailableError

HERE = Device("cpu")


@pytest.fixture(scope="module")
def in_process():
    return {2000: searched(2000, HERE, (1, 64), 1)}


def test_every_way_of_searching_is_measured_on_both(in_process):
    ways = in_process[2000]
    assert list(ways) == ["vectors, exact", "vectors, lists", "codes, exact"]
    for name, each in ways.items():
        assert each.recall[CPU] == each.recall[GPU] >= (0.97 if name.endswith("lists") else 1)
        assert each.same == 1
        assert {size: rate > 0 for size, rate in each.rates[GPU].items()} == {1: True, 64: True}
        assert each.memory[0] > 0
        assert each.memory[1] is None


def test_its_tables(in_process):
    rates = {CPU: {1: 100.0, 64: 1000.0}, GPU: {1: 50.0, 64: 4000.0}}
    found = gpu.tables(in_process, {2000: {"Hamming": rates}}, {CPU: {"itself first": 1.0}})
    document = json.loads(json.dumps(found, allow_nan=False))
    assert list(document["results"]) == [
        "vectors, exact, 2,000",
        "vectors, lists, 2,000",
        "codes, exact, 2,000",
    ]
    assert document["tables"]["Through a server, GPU / CPU"] == {
        "Hamming, 2,000": {"batch of 1": 0.5, "batch of 64": 4.0}
    }
    (panel,) = document["plots"]["gpu"]["panels"]
    assert panel["lines"]["codes, exact, 2,000"][0] == [1, 64]


def test_what_would_take_too_long_is_left_out(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(gpu_indexes.time, "perf_counter", lambda: float(next(clock)))
    # By this clock every call takes a sixteenth of a second to a second.
    rates = in_turn({CPU: len}, np.zeros((4, 2), np.float32), (1, 16, 1024), 1)
    assert rates == {CPU: {1: 16.0, 16: 16.0, 1024: None}}


def test_a_batch_from_which_it_pays():
    ratios = {"batch of 1": 0.5, "batch of 64": 1.5, "batch of 1,024": None}
    found = gpu_indexes.Searched(
        rates={}, recall={CPU: 1.0, GPU: 1.0}, same=1.0, memory=(8.0, 16.4)
    )
    row = gpu._row(found, ratios)
    assert (row["pays from"], row["bytes a row on the GPU"]) == ("batch of 64", 16)
    assert gpu._row(found, {"batch of 1": 0.5})["pays from"] == "no batch"


def test_without_a_gpu_it_says_what_is_needed(monkeypatch):
    monkeypatch.setattr(gpu, "resolve_device", refused)
    with pytest.raises(NotHereError, match=r"FAISS sees no GPU\. A machine with an NVIDIA GPU"):
        gpu.wanted_device()


def refused(requested):
    raise DeviceUnavailableError(f"device {requested!r} cannot be used: FAISS sees no GPU")


def test_sizes_that_memory_does_not_hold_are_named(monkeypatch):
    monkeypatch.setattr(gpu.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 2**30}.get(name, 5))
    sizes, missing = gpu._fitting([10_000, 1_000_000])
    assert sizes == [10_000]
    assert missing == ["1,000,000 rows need 11 GiB of memory, 5 are free"]


@pytest.mark.slow
def test_through_two_servers_and_a_whole_round(tmp_path):
    found = served(tmp_path, 2000, HERE, (1, 64), 1)
    assert list(found) == ["Hamming 48 bits", "cosine 768-d"]
    assert all(
        rate > 0 for each in found.values() for rates in each.values() for rate in rates.values()
    )
