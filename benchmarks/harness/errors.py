"""What keeps a benchmark from running on this machine."""


class NotHereError(Exception):
    """A program, package or file that a benchmark needs is not on this machine."""
