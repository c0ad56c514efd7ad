"""`cipherlens migrate`: bring a server's data over from SQLite to PostgreSQL, or back."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cipherlens.client.cli import options
from cipherlens.client.cli.console import print_outcome, progress_bar

if TYPE_CHECKING:
    from cipherlens.server.config import DatabaseUrl

FROM_VARIABLE, TO_VARIABLE = "CIPHERLENS_FROM_DATABASE", "CIPHERLENS_TO_DATABASE"
_ADDRESS = "postgresql://USER@HOST/NAME"


def _address(side: str, variable: str) -> object:
    return typer.Option(
        f"--{side}-database",
        metavar=_ADDRESS,
        help=f"Where its rows are, if not in the folder; else {variable}.",
    )


def _password(side: str) -> object:
    return typer.Option(
        f"--{side}-password-file",
        metavar="FILE",
        help=f"A file whose first line is the password of --{side}-database.",
    )


def migrate(
    source: Annotated[Path, typer.Argument(metavar="FROM-DIR", help="A server's data folder.")],
    target: Annotated[
        Path, typer.Argument(metavar="TO-DIR", help="A new data folder; made if absent.")
    ],
    from_database: Annotated[str | None, _address("from", FROM_VARIABLE)] = None,
    to_database: Annotated[str | None, _address("to", TO_VARIABLE)] = None,
    from_password_file: Annotated[Path | None, _password("from")] = None,
    to_password_file: Annotated[Path | None, _password("to")] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Bring a server's data folder over to another, from SQLite to PostgreSQL or back.

    No server may run on either side. The source is only read, and stays as it is. Every row is held
    against its checksum, and compared once more where it has come to. What is interrupted goes on
    with the same command, and is not served before all of it is there. Index files are made anew by
    the server's first start; tokens and keyrings are no part of it: copy tokens.json.

    --dry-run looks at the source alone, and makes nothing of the target.

    A password goes into the environment or a file, not on the command line.

    \b
    Examples:
      cipherlens migrate data/ data-pg/ --to-database postgresql://cipherlens@db.example.com/cipherlens
      cipherlens serve --data-dir data-pg/ --database postgresql://cipherlens@db.example.com/cipherlens
      cipherlens migrate data-pg/ data-again/ --from-database postgresql://cipherlens@db.example.com/cipherlens
    """
    from cipherlens.server.errors import StartupError
    from cipherlens.server.storage.folder import SQLITE_FILE
    from cipherlens.server.storage.moving import Place, Step, measured, move
    from cipherlens.server.storage.opening import open_dialect

    old = _url("from", from_database, FROM_VARIABLE, from_password_file)
    new = _url("to", to_database, TO_VARIABLE, to_password_file)
    if not source.is_dir() or (old is None and not (source / SQLITE_FILE).is_file()):
        raise StartupError(f"{source} is no data folder of a server")
    with ExitStack() as held, progress_bar() as bar:
        places = []
        for folder, url in ((source, old), (target, new))[: 1 if dry_run else 2]:
            dialect = open_dialect(folder, url)
            held.callback(dialect.close)
            places.append(Place(folder, dialect))
        task = bar.add_task("copying", total=None)

        def show(step: Step) -> None:
            bar.update(task, description=step.doing, completed=step.rows, total=step.of)

        moved = measured(places[0]) if dry_run else move(places[0], places[1], show)
    document = {
        "rows": moved.rows,
        "rows_there_before": moved.were_there,
        "models": moved.models,
        "dry_run": dry_run,
    }
    verb = "would have" if dry_run else "has"
    sentence = f"{target} {verb} what {source} has, row by row: "
    sentence += f"{moved.rows:,} rows, {moved.models} models"
    print_outcome(document, sentence, as_json=as_json)


def _url(
    side: str, given: str | None, variable: str, password_file: Path | None
) -> "DatabaseUrl | None":
    """Return the address of one side's database, None for its folder. Raises a usage error."""
    from cipherlens.server.config import DatabaseUrl
    from cipherlens.server.storage.opening import with_password_of

    text = given or os.environ.get(variable)
    if text is None:
        return None
    try:
        url = DatabaseUrl(text)
    except ValueError as error:
        raise typer.BadParameter(f"--{side}-database {error}") from None
    if given is not None and url.has_password:
        raise typer.BadParameter(
            f"--{side}-database: a password on the command line can be read by others; put it into "
            f"{variable} or --{side}-password-file"
        )
    return url if password_file is None else with_password_of(url, password_file)
