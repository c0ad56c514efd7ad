#!/usr/bin/env bash
# Fails if the committed generated code differs from what the .proto files give.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
mkdir -p "$fresh/cipherlens/v1"
cp "$folder"/generate.sh "$fresh"
cp "$folder"/cipherlens/v1/{*.proto,__init__.py,py.typed} "$fresh/cipherlens/v1"
"$fresh/generate.sh" "${1:-$folder/../.venv/proto/bin/python}"
diff --recursive --brief --exclude=__pycache__ "$fresh/cipherlens/v1" "$folder/cipherlens/v1" || {
  echo "the generated code is out of date: run make proto" >&2
  exit 1
}
