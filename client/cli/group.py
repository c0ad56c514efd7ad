"""Commands that hold commands: the program's groups."""

import typer

from cipherlens.client.cli.failure import USAGE


def group(text: str) -> typer.Typer:
    """Return an empty group of commands whose help begins with a text."""
    return typer.Typer(
        help=text, invoke_without_command=True, callback=require_command, rich_markup_mode=None
    )


def require_command(context: typer.Context) -> None:
    """Show the help, as wrong use, where no command follows."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(USAGE)
