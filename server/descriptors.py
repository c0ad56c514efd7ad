"""How many files and connections the process may have open."""

import resource


def take_all_descriptors() -> None:
    """Raise the soft limit, often 1,024 in a login shell, to what the system allows.

    Each connection takes one: a thousand idle ones must not keep out the next, nor the database.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
