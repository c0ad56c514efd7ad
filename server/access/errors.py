"""What can be wrong with a file of tokens."""

from cipherlens.base import DomainError


class TokenFileError(DomainError):
    """The file cannot be read or written, is damaged, or does not hold what is asked for."""
