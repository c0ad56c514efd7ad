"""The suffixes of the files that the command line writes."""

CIPHER_SUFFIX = ".cimg"
"""Of a cipher-image's file."""

SEALED_SUFFIX = ".sealed"
"""Of a sealed original's file, beside the cipher-image's."""
