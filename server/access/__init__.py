"""Who may do what: scopes, tokens and their file, and the gate that looks at every call.

It knows neither services nor transports; which method needs which scope stands beside the guard, in
`transport/needs.py`.
"""

from cipherlens.server.access.errors import TokenFileError
from cipherlens.server.access.exposure import check_exposure
from cipherlens.server.access.gate import OPEN_GATE, Gate, TokenGate, gate_of, shown_token_id
from cipherlens.server.access.permission import Permission, permissions_of
from cipherlens.server.access.principal import EVERYONE, Principal
from cipherlens.server.access.scope import OF_COLLECTIONS, OF_OWNERS, Scope
from cipherlens.server.access.token import TokenRecord, issue
from cipherlens.server.access.token_file import TokenFile

__all__ = [
    "EVERYONE",
    "OF_COLLECTIONS",
    "OF_OWNERS",
    "OPEN_GATE",
    "Gate",
    "Permission",
    "Principal",
    "Scope",
    "TokenFile",
    "TokenFileError",
    "TokenGate",
    "TokenRecord",
    "check_exposure",
    "gate_of",
    "issue",
    "permissions_of",
    "shown_token_id",
]
