"""gRPC load by h2load, the load generator of nghttp2: a C program that sends prepared bodies.

h2load sees HTTP alone, where a failed call is a 200 as well. What it counts in bytes tells them
apart: a failure has no body, and the answer to each body is known byte by byte beforehand. So
answers are counted by their bytes.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.errors import NotHereError

SEARCH = "/cipherlens.v1.RetrievalService/Search"
_GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers")
_JSON = ("--h1", "-H", "content-type: application/json")
_FRAME_BYTES = 5
_NO_METADATA: Mapping[str, str] = MappingProxyType({})
# A hit that others wrote meanwhile has a longer id: one of 20, by some bytes.
_LENGTH_TOLERANCE = 0.03
_FINE = re.compile(r"status codes: (\d+) 2xx")
_COUNTED = re.compile(r"finished in .*?\nrequests: .*? (\d+) done.*?\((\d+)\) data", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A request in a file, framed if it is gRPC, and how many bytes a right answer has.

    `answer_bytes` is without the frame; 0 where it is not known, as that of JSON: then every answer
    with a status of success counts.
    """

    path: Path
    answer_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process of h2load: its body, over so many connections with so many streams each."""

    body: Body
    connections: int
    streams: int


def framed(message: bytes) -> bytes:
    """Return a message as gRPC sends it, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def answered(
    url: str,
    processes: Sequence[Process],
    seconds: float,
    *,
    path: str = SEARCH,
    is_grpc: bool = True,
    metadata: Mapping[str, str] = _NO_METADATA,
) -> float:
    """Return how many right answers came, all processes at once, each for so many seconds.

    Each call brings the metadata along. Raises NotHereError, and RuntimeError if more than three
    answers in a hundred were not right.
    """
    running = [
        subprocess.Popen(
            _command(url + path, each, seconds, _headers(is_grpc, metadata)),
            stdout=subprocess.PIPE,
            text=True,
        )
        for each in processes
    ]
    outputs = [each.communicate()[0] for each in running]
    return sum(
        counted(output, each.body.answer_bytes)
        for output, each in zip(outputs, processes, strict=True)
    )


def counted(output: str, answer_bytes: int) -> float:
    """Return the right answers that h2load's own words tell of."""
    found = _COUNTED.search(output)
    if not found or found[1] == "0":
        raise RuntimeError(f"h2load counted no answer: {output[-400:]!r}")
    if not answer_bytes:
        return int(_FINE.findall(output)[0])
    done, data_bytes = int(found[1]), int(found[2])
    right = data_bytes / (_FRAME_BYTES + answer_bytes)
    # Of a call under way at the end the bytes may count and the call not, or the other way around.
    if abs(right - done) > max(_LENGTH_TOLERANCE * done, 64):
        raise RuntimeError(f"{done} calls ended, but the bytes are those of {right:.1f} answers")
    return right


def latencies_us(url: str, body: Body, seconds: float) -> NDArray[np.int64]:
    """Return how long each call took, one in flight, in microseconds. Raises NotHereError."""
    with tempfile.NamedTemporaryFile() as log:
        process = Process(body=body, connections=1, streams=1)
        command = [*_command(url + SEARCH, process, seconds, _GRPC), f"--log-file={log.name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        counted(done.stdout, body.answer_bytes)
        lines = np.loadtxt(log.name, np.int64, ndmin=2)
    return np.asarray(lines[:, 2], np.int64)


def _headers(is_grpc: bool, metadata: Mapping[str, str]) -> list[str]:
    brought = [word for key, value in metadata.items() for word in ("-H", f"{key}: {value}")]
    return [*(_GRPC if is_grpc else _JSON), *brought]


def _command(url: str, process: Process, seconds: float, headers: Sequence[str]) -> list[str]:
    program = shutil.which("h2load")
    if program is None:
        raise NotHereError("h2load is not installed (Debian: nghttp2-client)")
    shape = ["-t1", f"-c{process.connections}", f"-m{process.streams}"]
    duration = ["-D", f"{round(seconds * 1000)}ms"]
    return [program, *shape, *duration, "-d", str(process.body.path), *headers, *_place(url)]


def _place(url: str) -> list[str]:
    """Return how h2load is told a URL, which may be unix:FOLDER/socket/package.Service/Method."""
    if not url.startswith("unix:"):
        return [url]
    socket, service, method = url.rsplit("/", 2)
    return ["-B", socket, f"http://localhost/{service}/{method}"]
