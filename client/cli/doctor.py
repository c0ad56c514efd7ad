"""`cipherlens doctor`: look at everything that a server or a client rests on."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.base import DomainError
from cipherlens.client.cli import options
from cipherlens.client.cli.checks.finding import Finding, Grade, ok, problem
from cipherlens.client.cli.connection import Connection, connected
from cipherlens.client.cli.console import print_json, visible
from cipherlens.client.cli.failure import FAILURE, describe

if TYPE_CHECKING:
    from cipherlens.server.config import ServerConfig

_SIGNS = {
    Grade.OK: "ok     ",
    Grade.NOTE: "note   ",
    Grade.WARNING: "WARNING",
    Grade.PROBLEM: "PROBLEM",
}


@connected
def doctor(
    server: Connection | None = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="Look at what a server of this file rests on."
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Look at this data folder of a server."),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database", metavar="URL", help="Look at this database, as 'serve --database' has it."
        ),
    ] = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            "--vectors", metavar="URL", help="Look at this engine, as 'serve --vectors' has it."
        ),
    ] = None,
    keyring: options.SaidKeyringPath = None,
    as_json: options.Json = False,
) -> None:
    """Look at the machine and, where named, at a server's files, a keyring and a server.

    It changes nothing, and disturbs no server that runs; all of a large database is read. Each line
    that is not "ok" says what to do. The exit code is 1 if there is a PROBLEM, else 0.

    \b
    Examples:
      cipherlens doctor
      cipherlens doctor --data-dir data/
      cipherlens doctor --data-dir data/ --vectors milvus://milvus.example.com:19530
      cipherlens doctor --config /etc/cipherlens/cipherlens.toml --server find.example.com:443 --tls
    """
    given = {"data_dir": data_dir, "database": database, "vectors": vectors}
    flags = {name: str(value) for name, value in given.items() if value is not None}
    if flags and config is None and data_dir is None:
        raise typer.BadParameter("it goes with --data-dir or --config", param_hint=_engine(flags))
    findings = list(_findings(server, config, flags, keyring))
    if as_json:
        print_json({"findings": [dataclasses.asdict(each) for each in findings]})
    else:
        for each in findings:
            typer.echo(visible(f"{_SIGNS[each.grade]}  {each.name}: {each.seen}"))
            if each.advice:
                typer.echo(visible(f"         {each.advice}"))
    if Counter(each.grade for each in findings)[Grade.PROBLEM]:
        raise typer.Exit(FAILURE)


def _engine(flags: Mapping[str, str]) -> str:
    return " / ".join(f"--{name}" for name in flags)


def _findings(
    server: Connection | None, config: Path | None, flags: Mapping[str, str], keyring: Path | None
) -> Iterator[Finding]:
    from cipherlens.client.cli.checks.machine import machine

    yield from machine()
    if config is not None or flags:
        yield from _of_settings(config, flags)
    if keyring is not None:
        from cipherlens.client.cli.checks import files

        yield from files.keyring(keyring)
    if server is not None:
        yield _reached(server)


def _of_settings(path: Path | None, flags: Mapping[str, str]) -> Iterator[Finding]:
    from cipherlens.client.cli.checks import files
    from cipherlens.client.cli.checks.data_folder import data_folder
    from cipherlens.server.settings import resolve

    try:
        made = resolve(path, os.environ, flags).config
    except (ValueError, OSError) as error:
        yield problem("settings", describe(error).message, "cipherlens serve --help has them all")
        return
    if path is not None:
        yield ok("settings", f"{path} and the environment make a configuration")
    if made.role.has_cloud:
        yield from data_folder(made.data_dir)
        yield from _of_engines(made)
    if made.keyring is not None:
        yield from files.keyring(made.keyring)
    if made.tls is not None:
        yield from files.tls(made.tls.certificate, made.tls.key, made.tls.client_ca)


def _of_engines(config: "ServerConfig") -> Iterator[Finding]:
    """Yield what there is to say of PostgreSQL, and of the engine that has the vectors."""
    from cipherlens.server.storage import address_of

    try:
        url = address_of(config)
    except DomainError as error:
        yield problem("database", str(error), "name the file in database_password_file")
        return
    if url is not None:
        from cipherlens.client.cli.checks.postgres import postgres

        yield from postgres(url)
    if config.vectors is not None:
        from cipherlens.client.cli.checks.vectors import vectors

        yield from vectors(config, url)


def _reached(server: Connection) -> Finding:
    try:
        with server.client() as client:
            found = client.server_info()
    except Exception as error:  # noqa: BLE001 - whatever keeps it from answering is the finding
        told = describe(error)
        return problem("server", f"{server.target}: {told.message}", told.hint)
    return ok("server", f"{server.target} answers: version {found.version}, {found.index_device}")
