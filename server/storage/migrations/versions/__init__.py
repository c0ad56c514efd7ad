"""The steps, in files named by the version that each leads to."""
