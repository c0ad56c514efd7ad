"""A bare server with TLS, and ours behind nginx, called over a certificate that signs itself."""

import shutil

import grpc
import pytest

from benchmarks.harness.server import running
from benchmarks.load import workload
from benchmarks.load.contender import grpc_contender
from benchmarks.load.served import bare, store
from benchmarks.load.tls import certificate, nginx


def test_a_bare_server_speaks_tls(tmp_path):
    trusted = grpc.ssl_channel_credentials(certificate(tmp_path))
    asked = workload.codes(500)
    with bare("grpcio", asked, tmp_path, "--tls", str(tmp_path)) as server:
        found = grpc_contender(
            address=server.address,
            pid=server.pid,
            workload=asked,
            folder=tmp_path / "bodies",
            credentials=trusted,
        )
    assert found.recall == 1.0
    assert found.url.startswith("https://localhost:")


@pytest.mark.skipif(
    shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin") is None,
    reason="nginx is not installed",
)
def test_our_server_behind_nginx(tmp_path):
    trusted = grpc.ssl_channel_credentials(certificate(tmp_path))
    asked = workload.codes(500)
    with running(tmp_path / "data", "--listen", f"unix:{tmp_path}/socket") as server:
        store(server.address, asked)
        with nginx(tmp_path) as proxy:
            found = grpc_contender(
                address=proxy.address,
                pid=proxy.pid,
                workload=asked,
                folder=tmp_path / "bodies",
                credentials=trusted,
            )
    assert found.recall == 1.0
