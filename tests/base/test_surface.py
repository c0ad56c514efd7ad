"""The public names of the package, and what it may stand on."""

import subprocess
import sys

from cipherlens import base


def test_all_lists_exactly_these_names() -> None:
    assert sorted(base.__all__) == [
        "BITS",
        "CipherProfile",
        "DomainError",
        "FINGERPRINT_BYTES",
        "IndexChoice",
        "Kind",
        "NONCE_BYTES",
        "ProfileMismatch",
        "Role",
        "Scope",
        "TAG_TOKEN_BYTES",
        "check_bits",
        "check_codes",
        "code_bits",
        "code_size_bytes",
        "make_folder",
        "open_flags",
        "open_regular",
        "others_reach",
        "pack_bits",
        "read_regular",
        "replace_file",
        "stays_here",
        "sync_folder",
        "sync_replaced",
        "write_private",
    ]
    assert all(hasattr(base, name) for name in base.__all__)


def test_it_loads_no_other_part_of_the_program() -> None:
    program = "import sys, cipherlens.base; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name for name in done.stdout.split() if name.startswith("cipherlens.")}
    assert {".".join(name.split(".")[:2]) for name in loaded} == {"cipherlens.base"}
    assert not {"torch", "faiss", "grpc", "google.protobuf", "sqlalchemy"} & set(
        done.stdout.split()
    )
