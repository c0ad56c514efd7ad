"""The truth: collections, items, generations and models in one database."""

__all__: list[str] = []
