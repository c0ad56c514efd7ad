"""Certificates for trying things out: an authority of one's own, a server and a client."""

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """Signs certificates for so many days; its key lives as long as this object."""

    def __init__(self, days: int) -> None:
        """Draw a key and sign the authority's own certificate."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("CipherLens development CA")
        self._starts_at = datetime.datetime.now(datetime.UTC) - _CLOCKS_DIFFER
        self._ends_at = self._starts_at + datetime.timedelta(days=days) + _CLOCKS_DIFFER
        may_sign = x509.KeyUsage(
            key_cert_sign=True,
            crl_sign=True,
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(may_sign, critical=True)
        )
        self.certificate = _pem(made.sign(self._key, hashes.SHA256()))

    def server(self, hosts: Sequence[str]) -> Pair:
        """Return a server's certificate for host names and addresses, at least one."""
        names = x509.SubjectAlternativeName([_general_name(each) for each in hosts])
        return self._signed(hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, name: str) -> Pair:
        """Return a client's certificate; the name is for people."""
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        return self._signed(name, ExtendedKeyUsageOID.CLIENT_AUTH, names)

    def _signed(
        self, name: str, usage: x509.ObjectIdentifier, names: x509.SubjectAlternativeName
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            self._builder(_name(name), key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(names, critical=False)
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Pair(_pem(made.sign(self._key, hashes.SHA256())), private)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._starts_at)
            .not_valid_after(self._ends_at)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])  # as long as it may be


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
