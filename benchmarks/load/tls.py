"""TLS: a certificate that signs itself, and nginx in front of our server as docs/tls.md has it."""

import datetime
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.places import ROOT
from benchmarks.harness.server import Running

_PATH = "/usr/sbin:/usr/bin:/usr/local/bin"


def certificate(folder: Path) -> bytes:
    """Write server.key and server.pem, for localhost and a day; return the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    ).public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.key").write_bytes(secret)
    (folder / "server.pem").write_bytes(made)
    return made


@contextmanager
def nginx(folder: Path) -> Iterator[Running]:
    """Run nginx in front of `folder`/socket with the certificate in the folder.

    Raises NotHereError if nginx is not installed.
    """
    program = shutil.which("nginx", path=_PATH)
    if program is None:
        raise NotHereError("nginx is not installed")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (folder / "nginx.conf").write_text(_configuration(folder, port))
    process = subprocess.Popen(
        [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")],
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Running(address=f"localhost:{port}", pid=process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _configuration(folder: Path, port: int) -> str:
    """Return the page's own configuration, for other places."""
    page = (ROOT / "docs" / "tls.md").read_text()
    (text,) = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)
    text = text.replace("/run/cipherlens", str(folder)).replace("/etc/cipherlens", str(folder))
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    as_user = "user root;\n" if os.geteuid() == 0 else ""  # else nginx gives root up
    return f"daemon off;\npid {folder}/pid;\n{as_user}{text}"
