"""What is wrong with a message."""

from cipherlens.base import DomainError


class MalformedMessage(DomainError, ValueError):
    """A message that no value can be made of.

    Attributes:
        field: where in the message, such as "scope"; empty where fields do not fit each other.
        problem: what must hold.
        value: what was there instead, if it can be shown.
    """

    def __init__(self, field: str, problem: str, value: object = None) -> None:
        """Keep the parts."""
        got = "" if value is None else f", got {value}"
        super().__init__(f"{field}: {problem}{got}" if field else f"{problem}{got}")
        self.field = field
        self.problem = problem
        self.value = value
