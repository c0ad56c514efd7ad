"""Servers under load from Python processes: our clients, and pgvector's in their environment.

`measures` is what such a process measures, `loader` runs one from here; `ours` and `pgvector` are
the processes. What `pgvector` imports sees nothing of ours, as in `benchmarks.peers`.
"""
