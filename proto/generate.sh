#!/usr/bin/env bash
# Writes the Python code of the .proto files beside them; `make check` fails if that changes anything.
set -euo pipefail
cd "$(dirname "$0")"
python=${1:-../.venv/proto/bin/python}
PATH="$(dirname "$python"):$PATH" "$python" -m grpc_tools.protoc -I. \
  --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. cipherlens/v1/*.proto
rm -f cipherlens/v1/{cipher_image,representation,collection,item}_pb2_grpc.py*
