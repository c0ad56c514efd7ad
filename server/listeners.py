"""Where a server listens, and the transport that it has there."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from tempfile import TemporaryDirectory

from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError
from cipherlens.server.transport import NewTransport
from cipherlens.server.transport.grpcio import GrpcioTransport
from cipherlens.server.transport.passing_on import TLS
from cipherlens.server.transport.tls import Certificates


def follow_at_of(config: ServerConfig, opened: ExitStack) -> str | None:
    """Return where servers on the same database are listened to; None for one that is alone.

    Raises StartupError.
    """
    if not config.follow:
        return None
    if config.follow_listen is not None:
        if config.follow_listen.endswith(":0"):
            raise StartupError("follow_listen: must have a port that others can be told")
        return (TLS if config.tls else "") + config.follow_listen
    folder = opened.enter_context(TemporaryDirectory(prefix="cipherlens-"))
    return f"unix:{folder}/others"


def listeners(
    config: ServerConfig, new_transport: NewTransport | None, follow_at: str | None
) -> Iterator[tuple[str, NewTransport]]:
    """Yield where the server listens, and what makes the transport there."""
    shares_port = config.workers > 1
    yield config.listen, new_transport or partial(transport_of(config), shares_port=shares_port)
    if config.tls is not None:
        credentials = Certificates(config.tls).credentials()
        yield (
            config.tls.listen,
            partial(GrpcioTransport, credentials=credentials, shares_port=shares_port),
        )
    if follow_at is not None:
        others = partial(GrpcioTransport, renews=False)
        if follow_at.startswith(TLS) and config.tls is not None:
            # Others have no certificates of clients: it is tokens that are asked for.
            certificates = Certificates(replace(config.tls, client_ca=None))
            others = partial(others, credentials=certificates.credentials())
        yield follow_at.removeprefix(TLS), others


def transport_of(config: ServerConfig) -> NewTransport:
    """Return the transport that a configuration names. Raises StartupError if it is not there."""
    if config.transport == "grpcio":
        return GrpcioTransport
    try:
        from cipherlens.server.transport.native import NativeTransport
    except ModuleNotFoundError as error:
        if config.transport == "native":
            raise StartupError(
                f"transport native needs the package {error.name}: pip install pygrpc-native"
            ) from error
        return GrpcioTransport
    return NativeTransport
