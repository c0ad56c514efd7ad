"""Whether what a server listens on may be reached from other machines as it is."""

import logging
from collections.abc import Iterator

from cipherlens.base import stays_here
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError

_log = logging.getLogger(__name__)


def check_exposure(config: ServerConfig, *, asks_for_tokens: bool) -> None:
    """Look at each listener that other machines reach: it must have TLS and ask for tokens.

    Loopback addresses and socket files are free: who may connect there, the machine decides.

    Raises:
        StartupError: one does not, and the configuration does not say `insecure`.
    """
    for problem in _problems(config, asks_for_tokens=asks_for_tokens):
        if not config.insecure:
            raise StartupError(f"{problem}, or --insecure to take the risk")
        _log.warning("%s", problem)


def _problems(config: ServerConfig, *, asks_for_tokens: bool) -> Iterator[str]:
    if not stays_here(config.listen):
        yield (
            f"listen: {config.listen} is reached from other machines without TLS: take "
            "--tls-listen for them"
        )
    others = config.follow_listen
    if others is not None and config.tls is None and not stays_here(others):
        yield (
            f"follow_listen: {others} is reached from other machines without TLS: give it the "
            "certificate of --tls-listen"
        )
    listeners = [config.listen, *([config.tls.listen] if config.tls else [])]
    listeners += [others] if others is not None else []
    reached = [each for each in listeners if not stays_here(each)]
    if reached and not asks_for_tokens:
        yield (
            f"{reached[0]} is reached from other machines and no tokens are asked for: "
            "'cipherlens token new' makes one"
        )
