"""Servers under load from C programs: workloads, bodies, generators, contenders, floors."""
