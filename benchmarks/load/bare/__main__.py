"""A bare server in a process of its own: `python -m benchmarks.load.bare`, until its input ends."""

import argparse
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import faiss
import grpc
import numpy as np

from benchmarks.load.bare import grpcio, native
from benchmarks.load.bare.search import Answer, code_search, vector_search
from cipherlens.v1 import retrieval_service_pb2 as pb


def main() -> None:
    """Load the rows, listen, say where, and serve."""
    arguments = _arguments()
    faiss.omp_set_num_threads(1)
    rows = np.load(arguments.rows)
    if rows.dtype == np.uint8:
        answer = code_search(rows)
    else:
        answer = vector_search(rows, arguments.nlist, arguments.nprobe)
    if arguments.transport == "grpcio":
        _serve_grpcio(answer, arguments.tls)
    else:
        _serve_native(answer, _one_answer(answer, rows) if arguments.empty else None)


def _serve_grpcio(answer: Answer, tls: Path | None) -> None:
    credentials = None
    if tls:
        pair = ((tls / "server.key").read_bytes(), (tls / "server.pem").read_bytes())
        credentials = grpc.ssl_server_credentials([pair])
    server, port = grpcio.start(answer, credentials)
    print(f"{'localhost' if tls else '127.0.0.1'}:{port}", flush=True)
    _at_end_of_input(lambda: server.stop(None).wait())


def _serve_native(answer: Answer, one: bytes | None) -> None:
    front = native.front()
    print(f"127.0.0.1:{front.bound_port}", flush=True)
    threading.Thread(target=_at_end_of_input, args=[front.close]).start()
    if one is None:
        native.serve_search(front, answer)
    else:
        native.serve_empty(front, one)


def _one_answer(answer: Answer, rows: np.ndarray) -> bytes:
    """Return the answer to one row as the query."""
    request = pb.SearchRequest(k=20)
    (request.codes if rows.dtype == np.uint8 else request.vectors).data = rows[:1].tobytes()
    return answer([request])[0].SerializeToString()


def _at_end_of_input(stop: Callable[[], object]) -> None:
    sys.stdin.read()
    stop()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load.bare", description=__doc__)
    parser.add_argument("transport", choices=["native", "grpcio"])
    parser.add_argument("rows", type=Path, help="an .npy file: codes (uint8) or vectors (float32)")
    parser.add_argument("--empty", action="store_true", help="one answer to all, no search")
    parser.add_argument("--nlist", type=int, default=100)
    parser.add_argument("--nprobe", type=int, default=1)
    parser.add_argument("--tls", type=Path, help="a folder with server.key and server.pem")
    return parser.parse_args()


if __name__ == "__main__":
    main()
