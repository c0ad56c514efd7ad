"""RetrievalService: requests checked and translated for the engine, answers back."""

__all__: list[str] = []
