"""Labelled pictures: where they come from, their parts, their changes, their encryption."""
