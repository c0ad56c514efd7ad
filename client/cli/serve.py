"""`cipherlens serve`: run the server."""

import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.base import Role
from cipherlens.client.channel import DEFAULT_TARGET
from cipherlens.client.cli.options import Device, MaybeKeyringPath, PassphraseFile

if TYPE_CHECKING:
    from cipherlens.server.config import TlsListener


class Transport(StrEnum):
    """What carries the calls."""

    AUTO = "auto"
    GRPCIO = "grpcio"
    NATIVE = "native"


def serve(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="The data folder; made if absent.")
    ],
    role: Annotated[
        Role,
        typer.Option(
            help="cloud: stores and searches, without a key. owner: encrypts, with a keyring. "
            "all: both, for one machine."
        ),
    ] = Role.CLOUD,
    keyring: MaybeKeyringPath = None,
    hash_model: Annotated[
        Path | None,
        typer.Option(
            "--hash-model",
            metavar="FILE",
            help="The owner's hash network, sealed or plain: makes codes of query pictures for "
            "those who do not hold it. Not for role cloud.",
            dir_okay=False,
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = DEFAULT_TARGET,
    tls_listen: Annotated[
        str | None,
        typer.Option(
            "--tls-listen",
            metavar="HOST:PORT",
            help="Where to listen with TLS as well; needs --tls-certificate and --tls-key.",
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            "--tls-certificate", metavar="FILE", help="The server's certificates, in PEM."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option("--tls-key", metavar="FILE", help="Their private key, in PEM."),
    ] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            "--tls-client-ca",
            metavar="FILE",
            help="Let in by TLS only who shows a certificate of these authorities, in PEM.",
        ),
    ] = None,
    require_tokens: Annotated[
        bool,
        typer.Option(
            "--require-tokens",
            help="Ask every caller for a token, though there is none yet. Once 'token new' has "
            "made one, they are asked for in any case.",
        ),
    ] = False,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Listen where other machines can connect without TLS, or without a token.",
        ),
    ] = False,
    transport: Annotated[
        Transport,
        typer.Option(
            help="What carries the calls without TLS. native: HTTP/2 in Rust, several times as "
            "many searches a second. grpcio: the reference. auto: native where it is installed."
        ),
    ] = Transport.AUTO,
    device: Device = "auto",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Run the server.

    It listens at once, and prints one line when it has loaded its collections and answers; health
    checks say the same. It logs to standard error, the progress of a long load too, and stops in
    good order on Ctrl-C or SIGTERM. On --listen connections are not encrypted: it is for this
    machine. Others come in by TLS, on --tls-listen, with tokens that 'cipherlens token new' makes;
    without either the server does not start, unless with --insecure.

    \b
    Examples:
      cipherlens serve --data-dir data/
      cipherlens serve --data-dir data/ --listen unix:/run/cipherlens/socket --device cuda:0
      cipherlens serve --data-dir data/ --tls-listen 0.0.0.0:443 \\
        --tls-certificate server.pem --tls-key server.key
      cipherlens serve --data-dir owner/ --role owner --keyring my.keys --listen 127.0.0.1:50052
      cipherlens serve --data-dir data/ --role all --keyring my.keys --hash-model hash.sealed
    """
    from cipherlens.server.app import run
    from cipherlens.server.config import ServerConfig

    passphrase = None
    if keyring is not None:
        # Only for an owner: a cloud server's process never loads the code of keys.
        from cipherlens.client.cli.passphrase import keyring_passphrase

        passphrase = keyring_passphrase(keyring, passphrase_file)
    config = ServerConfig(
        data_dir=data_dir,
        role=role,
        listen=listen,
        transport=transport.value,
        tls=_tls(tls_listen, tls_certificate, tls_key, tls_client_ca),
        require_tokens=require_tokens,
        insecure=insecure,
        device=device,
        keyring=keyring,
        passphrase=passphrase,
        hash_model=hash_model,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("cipherlens").setLevel(logging.INFO)
    raise typer.Exit(run(config))


def _tls(
    listen: str | None, certificate: Path | None, key: Path | None, client_ca: Path | None
) -> "TlsListener | None":
    """Return the listener with TLS that the options ask for: the first three of them, or none."""
    from cipherlens.server.config import TlsListener

    if (listen, certificate, key, client_ca) == (None, None, None, None):
        return None
    if listen is None or certificate is None or key is None:
        raise typer.BadParameter(
            "--tls-listen, --tls-certificate and --tls-key go together: one is missing"
        )
    return TlsListener(listen=listen, certificate=certificate, key=key, client_ca=client_ca)
