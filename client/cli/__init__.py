"""The command line, `cipherlens`. `main` is its entry point."""

from cipherlens.client.cli.app import main

__all__ = ["main"]
