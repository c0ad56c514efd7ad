"""The floor: a gRPC server in a process of its own that gives one answer to every search."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import (
    RetrievalServiceServicer,
    add_RetrievalServiceServicer_to_server,
)


class _Canned(RetrievalServiceServicer):
    def __init__(self, answer: pb.SearchResponse) -> None:
        self._answer = answer

    def Search(  # noqa: N802
        self,
        request: pb.SearchRequest,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> pb.SearchResponse:
        """Return the answer, whatever is asked."""
        return self._answer


@contextmanager
def answering(answer: pb.SearchResponse) -> Iterator[str]:
    """Run the server with this answer and give its address; stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.harness.canned", answer.SerializeToString().hex()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate()  # closes its standard input, at which it ends


def main() -> None:
    """Serve until standard input is closed."""
    server = grpc.server(ThreadPoolExecutor(4))
    answer = pb.SearchResponse.FromString(bytes.fromhex(sys.argv[1]))
    service = _Canned(answer)  # type: ignore[abstract] # only searches are asked of it
    add_RetrievalServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    sys.stdin.read()
    server.stop(None).wait()


if __name__ == "__main__":
    main()
