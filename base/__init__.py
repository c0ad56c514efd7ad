"""What every other part stands on: claims of cipher-images, kinds, roles, codes, addresses,
durable files.

The standard library and NumPy only: nothing here knows keys, networks, messages or databases, so
that the cloud's side and the owner's may both use it.
"""

from cipherlens.base.addresses import stays_here
from cipherlens.base.codes import (
    BITS,
    check_bits,
    check_codes,
    code_bits,
    code_size_bytes,
    pack_bits,
)
from cipherlens.base.errors import DomainError, ProfileMismatch
from cipherlens.base.files import (
    make_folder,
    open_flags,
    open_regular,
    others_reach,
    read_regular,
    replace_file,
    sync_folder,
    sync_replaced,
    write_private,
)
from cipherlens.base.index_choice import IndexChoice
from cipherlens.base.kind import Kind
from cipherlens.base.profile import (
    FINGERPRINT_BYTES,
    NONCE_BYTES,
    CipherProfile,
    Scope,
)
from cipherlens.base.role import Role
from cipherlens.base.tags import TAG_TOKEN_BYTES

__all__ = [
    "BITS",
    "FINGERPRINT_BYTES",
    "NONCE_BYTES",
    "TAG_TOKEN_BYTES",
    "CipherProfile",
    "DomainError",
    "IndexChoice",
    "Kind",
    "ProfileMismatch",
    "Role",
    "Scope",
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
