"""The gRPC server. Its cloud side (everything but `encryption`) never holds a key."""

__all__: list[str] = []
