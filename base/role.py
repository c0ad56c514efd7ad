"""What a server is for."""

from enum import StrEnum


class Role(StrEnum):
    """Which services a server hosts."""

    CLOUD = "cloud"
    OWNER = "owner"
    ALL = "all"

    @property
    def has_cloud(self) -> bool:
        """Whether RetrievalService is served."""
        return self is not Role.OWNER

    @property
    def has_owner(self) -> bool:
        """Whether EncryptionService is served, which needs a keyring."""
        return self is not Role.CLOUD
