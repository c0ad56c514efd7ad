"""What can go wrong between an index and the machine it runs on."""


class VectorIndexError(Exception):
    """Base of the errors of this package."""


class FaissInstallationError(VectorIndexError):
    """No FAISS distribution is installed, or two that overwrite each other's files."""


class DeviceUnavailableError(VectorIndexError):
    """The requested device does not exist here; the text says why."""


class UnfitStateError(VectorIndexError):
    """A state to restore is not of such an index; the text says what differs."""
