import subprocess
import sys
from types import SimpleNamespace

import pytest

from cipherlens.server.index import (
    Device,
    DeviceUnavailableError,
    FaissInstallationError,
    check_faiss_installation,
    device,
    gpu_probe,
    resolve_device,
)


@pytest.fixture
def faiss_build(monkeypatch):
    """Return a function that puts a FAISS with so many GPUs in place; None is a CPU build.

    `probe` is what a process does that tries such a GPU.
    """

    def put(gpus, probe=""):
        build = SimpleNamespace(get_num_gpus=lambda: gpus or 0)
        monkeypatch.setattr(device, "PROBE", (sys.executable, "-c", probe))
        if gpus is not None:
            build.StandardGpuResources = object
        monkeypatch.setattr(device, "faiss", build)

    return put


@pytest.fixture
def installed(monkeypatch):
    def put(*names):
        found = [SimpleNamespace(name=name) for name in names]
        monkeypatch.setattr(device.metadata, "distributions", lambda: found)

    return put


def test_written_form():
    assert str(Device("cpu")) == "cpu"
    assert str(Device("cuda", 3)) == "cuda:3"


@pytest.mark.parametrize("gpus", [None, 0, 2])
def test_cpu_is_always_there(faiss_build, gpus):
    faiss_build(gpus)
    assert resolve_device("cpu") == Device("cpu")


@pytest.mark.parametrize(("gpus", "expected"), [(None, "cpu"), (0, "cpu"), (1, "cuda:0")])
def test_auto_takes_a_gpu_only_when_faiss_can_use_one(faiss_build, gpus, expected):
    faiss_build(gpus)
    assert str(resolve_device("auto")) == expected


@pytest.mark.parametrize(
    ("requested", "expected"), [("cuda", "cuda:0"), ("cuda:0", "cuda:0"), ("cuda:1", "cuda:1")]
)
def test_gpu_by_name(faiss_build, requested, expected):
    faiss_build(2)
    assert str(resolve_device(requested)) == expected


@pytest.mark.parametrize(
    ("gpus", "requested", "reason"),
    [
        (None, "cuda", "CPU build"),
        (0, "cuda:0", "no GPU"),
        (2, "cuda:2", r"2 GPU\(s\)"),
    ],
)
def test_an_impossible_gpu_says_why(faiss_build, gpus, requested, reason):
    faiss_build(gpus)
    with pytest.raises(DeviceUnavailableError, match=reason):
        resolve_device(requested)


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (
            "import os, sys\n"
            "sys.stderr.write('Faiss assertion failed at L2Norm.cu:257; details: CUDA error 209 '\n"
            "                 'no kernel image is available\\n')\n"
            "sys.stderr.flush(); os.abort()",
            "cannot search there: CUDA error 209 no kernel image is available$",
        ),
        ("raise RuntimeError('a search found [7]')", r"RuntimeError: a search found \[7\]$"),
        ("raise SystemExit(3)", "exit 3$"),
    ],
)
def test_a_gpu_that_faiss_cannot_use_is_found_out_without_harm(faiss_build, probe, reason):
    faiss_build(1, probe)
    assert resolve_device("auto") == Device("cpu")
    with pytest.raises(DeviceUnavailableError, match=reason):
        resolve_device("cuda:0")


def test_a_gpu_that_does_not_answer_is_none(faiss_build, monkeypatch):
    faiss_build(1, "import time; time.sleep(60)")
    monkeypatch.setattr(device, "PROBE_SECONDS", 0.5)
    with pytest.raises(DeviceUnavailableError, match=r"not answered a search there within 0\.5 s"):
        resolve_device("cuda:0")


def test_the_probe_tries_what_is_there_and_fails_where_nothing_is():
    """The CPU build stands for an installation in which the GPU does not work."""
    gpu_probe.search_once(Device("cpu"))
    if hasattr(device.faiss, "StandardGpuResources"):
        pytest.skip("this FAISS is a GPU build")
    done = subprocess.run([*device.PROBE, "0"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "AttributeError" in done.stderr


@pytest.mark.parametrize("requested", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:1 "])
def test_an_unknown_word_is_refused(requested):
    with pytest.raises(ValueError, match="device must be"):
        resolve_device(requested)


def test_the_installation_under_test_is_sound():
    assert check_faiss_installation().startswith("faiss-")


@pytest.mark.parametrize("name", ["faiss-cpu", "faiss_cpu", "faiss-gpu-cu12"])
def test_one_distribution_is_named(installed, name):
    installed("numpy", name, None)
    assert check_faiss_installation() == name.replace("_", "-")


@pytest.mark.parametrize("gpu", ["faiss-gpu", "faiss_gpu_cu12", "faiss-gpu-cu11"])
def test_cpu_and_gpu_at_once_are_refused(installed, gpu):
    installed("faiss-cpu", gpu)
    with pytest.raises(FaissInstallationError, match=r"faiss-cpu and faiss-gpu"):
        check_faiss_installation()


def test_no_distribution_is_refused(installed):
    installed("numpy", "faiss-helpers")
    with pytest.raises(FaissInstallationError, match="not installed"):
        check_faiss_installation()
