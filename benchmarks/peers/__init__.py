"""Other vector stores, each in an environment of its own and driven by its own client.

`environment` makes the environments, `worker` runs one peer in its own, `remote` speaks to it from
here, `peer` says what a peer is; every other file is one. Those files and the worker see NumPy
and the peer's own packages, and nothing of ours.
"""
