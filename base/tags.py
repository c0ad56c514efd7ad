"""What both sides know of tags."""

TAG_TOKEN_BYTES = 16
"""Length of a tag's token: what the server has in its place."""
