"""`cipherlens tls dev-certs`, judged by openssl's own rules as Python has them."""

import ssl
import stat
from pathlib import Path

from cryptography import x509


def loaded(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_authority_vouches_for_both_and_nobody_else_may_read_a_key(run, tmp_path) -> None:
    folder = tmp_path / "certs"
    made = run("tls", "dev-certs", folder, "--host", "find.example.com", "--json")
    assert (made.code, made.document["days"]) == (0, 90)
    assert [stat.S_IMODE(Path(each).stat().st_mode) for each in made.document["files"]] == [
        0o600
    ] * 5
    names = loaded(folder / "server.pem").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["find.example.com", "localhost"]
    for side, verify_for in (
        ("server", ssl.Purpose.SERVER_AUTH),
        ("client", ssl.Purpose.CLIENT_AUTH),
    ):
        context = ssl.create_default_context(verify_for, cafile=folder / "ca.pem")
        context.load_cert_chain(folder / f"{side}.pem", folder / f"{side}.key")
        loaded(folder / f"{side}.pem").verify_directly_issued_by(loaded(folder / "ca.pem"))


def test_nothing_that_is_there_is_written_over(run, tmp_path) -> None:
    (tmp_path / "server.key").write_text("mine")
    outcome = run("tls", "dev-certs", tmp_path)
    assert outcome.code == 1
    assert "holds server.key already" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["server.key"]


def test_days_are_from_1_to_3650(run, tmp_path) -> None:
    assert run("tls", "dev-certs", tmp_path / "c", "--days", 0).code == 2
