"""The root of all failures that a caller is told of in their own words."""


class DomainError(Exception):
    """A failure of the task, not of the program: its text says what is wrong and is fit to show.

    What is raised on purpose has this root in every package, so that the outermost layer can tell
    it from a bug without knowing the package.
    """


class ProfileMismatch(DomainError):
    """Cipher-images and a model (or a collection) were made for different parameters or keys."""
