"""A command's connection to its server: one place for the options that say how."""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from cipherlens.base import others_reach
from cipherlens.client import Access, Client, Deadlines, EncryptionClient
from cipherlens.client.channel import DEFAULT_TARGET
from cipherlens.client.cli import options
from cipherlens.client.cli.defaults import variable
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.client.core.deadlines import Work
from cipherlens.crypto import Key

VARIABLE = "CIPHERLENS_TOKEN"


def _file(name: str, help_: str) -> Any:
    """Return an option that names a file, and may stand in the environment."""
    flag = f"--{name.replace('_', '-')}"
    return typer.Option(flag, metavar="FILE", help=help_, envvar=variable(name), dir_okay=False)


Tls = Annotated[
    bool, typer.Option("--tls", help="Use TLS; the options below that name files say so too.")
]
TlsCa = Annotated[
    Path | None,
    _file("tls_ca", "The authorities, in PEM, that the server's certificate must come from."),
]
TlsCertificate = Annotated[
    Path | None,
    _file("tls_certificate", "Your own certificate, in PEM, for a server that asks for one."),
]
TlsKey = Annotated[Path | None, _file("tls_key", "The private key of --tls-certificate, in PEM.")]
TokenFile = Annotated[
    Path | None,
    _file("token_file", f"A file whose first line is your token; else {VARIABLE}."),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure", help="Send the token to another machine even where there is no TLS."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        help="How long each call may take; else as long as its kind of work mostly does.",
        envvar=variable("timeout"),
    ),
]


@dataclass(frozen=True, slots=True)
class Connection:
    """A server, and how to connect to it."""

    target: str
    access: Access
    deadlines: Deadlines | None = None

    def client(self, key: Key | None = None) -> Client:
        """Return a client of the server, which encrypts and decrypts with a key if given one."""
        return Client(self.target, key=key, access=self.access, deadlines=self.deadlines)

    def owner(self) -> EncryptionClient:
        """Return a client of the owner's service there."""
        return EncryptionClient(self.target, access=self.access, deadlines=self.deadlines)


LOCAL = Connection(DEFAULT_TARGET, Access())
"""What a command connects to that is told nothing."""


def connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command that has the options of a connection in place of its parameter `server`.

    The parameter is a `Connection`; where its default is None, it is None without --server.
    """
    signature, hints = inspect.signature(command), _hints(command)
    added = dict(_OPTIONS)
    if signature.parameters["server"].default is None:
        added["server"] = added["server"].replace(default=None, annotation=options.MaybeServer)

    @wraps(command)
    def run(**values: Any) -> Any:
        given = {name: values.pop(name) for name in added}
        server = None if given["server"] is None else _connection(**given)
        return command(**values, server=server)

    own = {
        name: each.replace(annotation=hints[name]) for name, each in signature.parameters.items()
    }
    parameters = (own | added).values()  # `server` stays in its place, the others come last
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = signature.replace(parameters=list(parameters))  # type: ignore[attr-defined]
    return run


def _connection(
    server: options.Server = DEFAULT_TARGET,
    tls: Tls = False,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    token_file: TokenFile = None,
    insecure: Insecure = False,
    timeout: Timeout = None,
) -> Connection:
    """Return the connection that the options describe."""
    if timeout is not None and not timeout > 0:
        raise typer.BadParameter(f"--timeout must be above 0, got {timeout}")
    if (tls_certificate is None) != (tls_key is None):
        raise typer.BadParameter("--tls-certificate and --tls-key go together: one is missing")
    access = Access(
        tls=tls,
        ca=tls_ca,
        certificate=tls_certificate,
        certificate_key=tls_key,
        token=_token(token_file),
        insecure=insecure,
    )
    return Connection(server, access, None if timeout is None else _all_within(timeout))


def _all_within(seconds: float) -> Deadlines:
    """Return the same deadline for every kind of work."""
    return Deadlines(**{each.value: seconds for each in Work})


def _token(path: Path | None) -> str | None:
    """Return the token from a file, else from the environment.

    Raises:
        CommandError: others may read the file, or it holds none.
    """
    if path is None:
        return os.environ.get(VARIABLE) or None
    if others_reach(path.stat()):
        raise CommandError(f"{path}: others may read the token in it", hint=f"chmod 600 {path}")
    token, *_ = [*path.read_text(encoding="utf-8").split(), ""]
    if not token:
        raise CommandError(f"{path}: it must hold a token", exit_code=USAGE)
    return token


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function, include_extras=True)


_OPTIONS = {
    name: each.replace(annotation=_hints(_connection)[name])
    for name, each in inspect.signature(_connection).parameters.items()
}
