"""`cipherlens completion`: what a shell needs to complete commands and options."""

import os
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any

import typer

PROGRAM = "cipherlens"
# What typer's own option for completions uses; it types none of it.
_COMPLETING: Any = import_module("typer.completion")

ASKED = "_CIPHERLENS_COMPLETE"
"""The variable by which a shell's script asks for completions."""


class Shell(StrEnum):
    """Shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell.")],
) -> None:
    """Print what makes a shell complete commands and options by the tabulator key.

    \b
    Examples:
      cipherlens completion bash > ~/.local/share/bash-completion/completions/cipherlens
      cipherlens completion zsh > ~/.zfunc/_cipherlens
      cipherlens completion fish > ~/.config/fish/completions/cipherlens.fish
    """
    script = _COMPLETING.get_completion_script(
        prog_name=PROGRAM, complete_var=ASKED, shell=shell.value
    )
    typer.echo(script)


def words_to_complete() -> list[str]:
    """Return the words behind the program's name that a shell asks to complete.

    The parser answers it by itself, once it has the commands that the words name.
    """
    _COMPLETING.completion_init()
    line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    return line.split()[1:]
