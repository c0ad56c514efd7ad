"""The prepared run for a GPU, tried on the CPU: two indexes there in place of one on either."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.harness.errors import NotHereError
from benchmarks.load import workload
from benchmarks.timing import gpu, gpu_indexes
from benchmarks.timing.gpu_indexes import CORES, CPU, GPU, in_turn, searched
from benchmarks.timing.gpu_servers import served
from cipherlens.server.index import CosineIndex, Device, DeviceUnavailableError

HERE = Device("cpu")


@pytest.fixture(scope="module")
def in_process():
    return {2000: searched(2000, HERE, (1, 64), 1)}


def test_every_way_of_searching_is_measured_on_both(in_process):
    ways = in_process[2000]
    assert list(ways) == ["vectors, exact", "vectors, lists"]
    for name, each in ways.items():
        assert each.recall[CPU] == each.recall[GPU] >= (0.97 if name.endswith("lists") else 1)
        assert each.same == 1
        for on in (CPU, CORES, GPU):
            assert {size: rate > 0 for size, rate in each.rates[on].items()} == {1: True, 64: True}
        assert set(each.trained_s) == {CPU, GPU}
        assert each.memory[0] > 0
        assert each.memory[1] is None


def test_its_tables(in_process):
    rates = {CPU: {1: 100.0, 64: 1000.0}, GPU: {1: 50.0, 64: 4000.0}}
    found = gpu.tables(
        {10_000: in_process[2000]}, {2000: {"Hamming": rates}}, {CPU: {"itself first": 1.0}}
    )
    document = json.loads(json.dumps(found, allow_nan=False))
    assert list(document["results"]) == [
        "vectors, exact, 10,000",
        "vectors, lists, 10,000",
    ]
    assert document["tables"]["Through a server, GPU / CPU"] == {
        "Hamming, 2,000": {"batch of 1": 0.5, "batch of 64": 4.0}
    }
    (panel,) = document["plots"]["gpu"]["panels"]
    assert panel["lines"]["vectors, exact, 10,000"][0] == [1, 64]


def test_what_would_take_too_long_is_left_out(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(gpu_indexes.time, "perf_counter", lambda: float(next(clock)))
    # By this clock every call takes a second: no batch is asked twice, nor one of four seconds.
    rates = in_turn({CPU: len}, np.zeros((4, 2), np.float32), (1, 3, 16), 3)
    assert rates == {CPU: {1: 1.0, 3: 3.0, 16: None}}


def test_rows_beyond_what_the_cpu_trains_alone(monkeypatch):
    monkeypatch.setattr(gpu_indexes, "TRAINED_ALONE", 1000)
    ways = searched(2000, HERE, (1,), 1)
    assert set(ways["vectors, lists"].trained_s) == {GPU}
    assert ways["vectors, lists"].same == 1


def test_lists_of_a_gpu_as_those_of_the_cpu(clustered_index):
    state = clustered_index.state()
    of_a_gpu = {name: state.facts[name] for name in ("metric", "dimension", "nprobes", "recall")}
    facts = {**of_a_gpu, "trained": "gpu lists", "trained_on": state.facts["trained_on"]}
    index = CosineIndex(768, HERE)
    index.restore(gpu_indexes._for_the_cpu(replace(state, facts=facts)))
    queries = state.arrays["rows"][:8]
    found, wanted = index.search(queries, 5), clustered_index.search(queries, 5)
    assert (found.positions == wanted.positions).mean() > 0.9
    assert "ivf" in index.describe().kind


@pytest.fixture
def clustered_index():
    index = CosineIndex(768, HERE)
    index.append(workload.vectors(2000).rows)
    index.train(1)
    return index


@pytest.mark.parametrize(
    ("ratios", "wanted"),
    [
        ((0.5, 1.5, None), "batch of 64"),
        ((1.2, 0.5, 1.5), "batch of 1,024"),
        ((1.2, 1.3, 1.5), "batch of 1"),
        ((1.2, 0.5, None), "no batch"),
    ],
)
def test_a_batch_from_which_it_pays(ratios, wanted):
    found = gpu_indexes.Searched(
        rates={},
        recall={CPU: 1.0, GPU: 1.0},
        same=1.0,
        memory=(8.0, 16.4),
        trained_s={GPU: 0.12345},
    )
    titles = ("batch of 1", "batch of 64", "batch of 1,024")
    row = gpu._row(found, dict(zip(titles, ratios, strict=True)))
    assert (row["pays from"], row["bytes a row on the GPU"]) == (wanted, 16)
    assert row["trained on the GPU, s"] == 0.123


def test_a_gpu_beside_the_better_way_of_the_cpu():
    rates = {CPU: {1: 10.0, 64: 10.0}, CORES: {1: 5.0, 64: 40.0}, GPU: {1: 20.0, 64: None}}
    assert gpu._ratios(rates, CPU, CORES) == {"batch of 1": 2.0, "batch of 64": None}
    assert gpu._ratios({**rates, GPU: {1: 20.0, 64: 20.0}}, CPU, CORES)["batch of 64"] == 0.5


def test_without_a_gpu_it_says_what_is_needed(monkeypatch):
    monkeypatch.setattr(gpu, "resolve_device", refused)
    with pytest.raises(NotHereError, match=r"FAISS sees no GPU\. A machine with an NVIDIA GPU"):
        gpu.wanted_device()


def refused(requested):
    raise DeviceUnavailableError(f"device {requested!r} cannot be used: FAISS sees no GPU")


def test_sizes_that_memory_does_not_hold_are_named(monkeypatch):
    monkeypatch.setattr(gpu.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 2**30}.get(name, 5))
    assert gpu._too_large([10_000, 1_000_000]) == {
        1_000_000: "1,000,000 vectors need 11 GiB of memory, 5 are free"
    }


@pytest.mark.slow
def test_through_two_servers_and_a_whole_round(tmp_path):
    found = served(tmp_path, 2000, HERE, (1, 64), 1)
    assert list(found) == ["cosine 768-d"]
    assert all(
        rate > 0 for each in found.values() for rates in each.values() for rate in rates.values()
    )
