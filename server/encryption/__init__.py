"""EncryptionService: the owner's side, the only part of the server that touches keys."""

__all__: list[str] = []
