"""The engine that has a server's vectors."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from cipherlens.client.cli.checks.finding import Finding, note, ok, problem
from cipherlens.server.errors import StartupError, VectorsUnavailable
from cipherlens.server.vectors import open_store, table_prefix

if TYPE_CHECKING:
    from cipherlens.server.config import DatabaseUrl, ServerConfig


def vectors(config: "ServerConfig", database: "DatabaseUrl | None") -> Iterator[Finding]:
    """Yield whether it is reached and can serve, and what of this data folder it has."""
    advice = "docs/vectors.md says what a server needs of it"
    try:
        with closing(open_store(config, database)) as store:
            release = store.check()
            prefix = table_prefix(config.data_dir)
            tables = store.names(prefix) if prefix else []
    except StartupError as error:
        yield problem("vectors", str(error), advice)
        return
    except VectorsUnavailable as error:
        told = "is it running, and is its address right?"
        yield problem("vectors", f"the engine cannot be used: {error.detail}", told)
        return
    yield ok("vectors", f"{store.place} answers, version {release}")
    if prefix is None:
        yield note("tables", "none of this data folder yet", "'cipherlens serve' makes them")
    else:
        yield ok("tables", f"{len(tables)} of this data folder, their names begin with {prefix}")
