"""The program: its commands, and the one place where failures become messages and exit codes."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.main import get_command

from cipherlens.client.cli.console import be_quiet
from cipherlens.client.cli.defaults import by_parameter, defaults
from cipherlens.client.cli.failure import INTERRUPTED, SUCCESS, describe, report, wrong_use
from cipherlens.client.cli.group import require_command

HELP = "Find images among encrypted images: the server ranks ciphertext and never holds a key."

EPILOG = """
A first round, from keys to hits:

\b
  cipherlens keys new my.keys
  cipherlens train demo/any-key.toml --data photos/ --keyring my.keys --out my.safetensors
  cipherlens serve --data-dir data/ &
  cipherlens collection create photos --kind cipher --keyring my.keys
  cipherlens model push my.safetensors --collection photos
  cipherlens index photos photos/ --keyring my.keys
  cipherlens search photos query.jpg -k 20 --keyring my.keys --html hits.html

\b
The same with binary codes, which the owner's hash network makes of plain pictures:

\b
  cipherlens train hash.toml --data photos/ --out hash.safetensors
  cipherlens model seal hash.safetensors --keyring my.keys --out hash.sealed
  cipherlens collection create codes --kind code --bits 48
  cipherlens index codes photos/ --keyring my.keys --model hash.sealed
  cipherlens search codes query.jpg --keyring my.keys --model hash.sealed

\b
Exit codes:
  0    done
  1    refused or failed; the message says why
  2    wrong use: an option, an argument, a value
  3    no collection, item, model or key of that name
  4    no server answers, or not in time
  5    what the server gave is not what the owner stored
  130  interrupted

\b
Environment:
  CIPHERLENS_PASSPHRASE  passphrase of the keyring, instead of the prompt
  CIPHERLENS_NEW_PASSPHRASE
                         the one that 'keys passphrase' and 'keys export' set
  CIPHERLENS_TOKEN       the token that a server asks for, instead of --token-file
  CIPHERLENS_SERVER, CIPHERLENS_KEYRING, CIPHERLENS_KEY, CIPHERLENS_PASSPHRASE_FILE,
  CIPHERLENS_TOKEN_FILE, CIPHERLENS_TIMEOUT, CIPHERLENS_TLS_CA,
  CIPHERLENS_TLS_CERTIFICATE, CIPHERLENS_TLS_KEY
                         as the options of these names
  CIPHERLENS_FROM_DATABASE, CIPHERLENS_TO_DATABASE
                         the addresses of 'migrate', which may carry a password here
  CIPHERLENS_CLIENT_CONFIG
                         a file that says the same in TOML, such as server = "HOST:PORT";
                         else cipherlens/client.toml in ~/.config or XDG_CONFIG_HOME
  CIPHERLENS_TRACEBACK   1 shows the traceback of a failure
"""

# Where every command is, in the order of the help: a function, or a group of commands. A command
# loads its own module only: that is quicker, and `serve` must not load the code of keys that its
# neighbours use.
COMMANDS = {
    "keys": "keys:app",
    "grant": "grant:app",
    "encrypt": "files:encrypt",
    "decrypt": "files:decrypt",
    "train": "training:train",
    "evaluate": "evaluate:evaluate",
    "serve": "serve:serve",
    "doctor": "doctor:doctor",
    "completion": "completion:completion",
    "collection": "collection:app",
    "model": "model:app",
    "index": "index:index",
    "search": "search:search",
    "gallery": "gallery:gallery",
    "count": "count:count",
    "item": "item:app",
    "open": "released:open_",
    "manifest": "manifest:app",
    "snapshot": "snapshot:app",
    "migrate": "migrate:migrate",
    "tls": "tls:app",
    "token": "token:app",
}

# What typer calls the base of its own errors, and from which package, changes between versions: it
# is the most general ancestor of a usage error that can tell what is wrong.
_ParserError: Any = next(
    kind for kind in reversed(typer.BadParameter.__mro__) if hasattr(kind, "format_message")
)


def program(words: Sequence[str]) -> Any:
    """Return the program with the command that the words name, or with all if they name none."""
    made = typer.Typer(
        name="cipherlens",
        help=HELP,
        epilog=EPILOG,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=_root,
    )
    command = next((word for word in words if not word.startswith("-")), "")
    for name in [command] if command in COMMANDS else COMMANDS:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"cipherlens.client.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name)(found)
    return get_command(made)


def _print_version(wanted: bool) -> None:
    """Print the version and leave, if it was asked for."""
    if wanted:
        typer.echo(f"cipherlens {version('cipherlens')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print results and errors, and nothing else.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell each call to a server, and how long.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    be_quiet(quiet=quiet)
    _tell_calls(wanted=verbose)
    require_command(context)


def _tell_calls(*, wanted: bool) -> None:
    """Have the client's log on standard error, or no longer."""
    log = logging.getLogger("cipherlens.client")
    log.handlers.clear()
    log.setLevel(logging.DEBUG if wanted else logging.NOTSET)
    if wanted:
        told = logging.StreamHandler()
        told.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        log.addHandler(told)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; None takes the program's own arguments."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _quieten()
    try:
        made = program(asked_words(words))
        outcome = made(
            words,
            prog_name="cipherlens",
            standalone_mode=False,
            default_map=by_parameter(made, defaults()),
        )
    except _ParserError as error:
        return report(wrong_use(error.format_message()), as_json="--json" in words)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Who read our output has closed it, as `head` does: the interpreter would fail to flush it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    except Exception as error:
        if os.environ.get("CIPHERLENS_TRACEBACK") == "1":
            raise
        return report(describe(error), as_json="--json" in words)
    return outcome if isinstance(outcome, int) else SUCCESS


def asked_words(words: Sequence[str]) -> Sequence[str]:
    """Return the words, or those that a shell asks to complete: they name the command, too."""
    if "_CIPHERLENS_COMPLETE" not in os.environ:
        return words
    return import_module("cipherlens.client.cli.completion").words_to_complete()  # type: ignore[no-any-return]


def _quieten() -> None:
    """Keep libraries' warnings away from people, unless they asked for them.

    Names that are no text, as paths may be, are printed with backslashes, as on standard error.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
