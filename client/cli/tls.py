"""`cipherlens tls`: certificates to try TLS with."""

from pathlib import Path
from typing import Annotated

import typer

from cipherlens.base import write_private
from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_outcome
from cipherlens.client.cli.dev_certificates import Authority
from cipherlens.client.cli.failure import CommandError
from cipherlens.client.cli.group import group

LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"]

app = group("Make certificates to try TLS with.")


@app.command("dev-certs")
def dev_certs(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where they go; made if absent.", file_okay=False)
    ],
    hosts: Annotated[
        list[str] | None,
        typer.Option(
            "--host",
            metavar="NAME",
            help="A name or address that clients will call the server by, besides localhost; may "
            "be given several times.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long they are valid.")] = 90,
    as_json: options.Json = False,
) -> None:
    """Make an authority, and certificates of a server and a client that it has signed.

    The authority's own key is not kept: nobody can make further certificates in its name. For
    those that come after, run the command for another folder. Where strangers connect, take
    certificates of an authority that they know.

    \b
    Example:
      cipherlens tls dev-certs certs/ --host find.example.com
      cipherlens serve --data-dir data/ --tls-listen 0.0.0.0:443 \\
        --tls-certificate certs/server.pem --tls-key certs/server.key
      cipherlens collection list --server find.example.com:443 --tls-ca certs/ca.pem
    """
    authority = Authority(days)
    server = authority.server([*(hosts or []), *LOCAL_HOSTS])
    client = authority.client("cipherlens-client")
    files = {
        "ca.pem": authority.certificate,
        "server.pem": server.certificate,
        "server.key": server.key,
        "client.pem": client.certificate,
        "client.key": client.key,
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if there := [name for name in files if (folder / name).exists()]:
        raise CommandError(f"{folder} holds {there[0]} already", hint="name another folder")
    for name, data in files.items():
        write_private(folder / name, data)
    paths = [str(folder / name) for name in files]
    told = "\n".join(paths)
    print_outcome({"files": paths, "days": days}, told, as_json=as_json)
