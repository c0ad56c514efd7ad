"""REPORT.md, its tables and its plots, from raw figures and the notes beside each benchmark."""
