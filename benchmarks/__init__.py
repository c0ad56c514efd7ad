"""What CipherLens measures: `python -m benchmarks NAME` writes raw JSON and a Markdown table."""
