"""How calls come in: one guard in front of every service, and a file for each way of travelling.

A service is a value (`service.Service`) whose methods are functions of a request and a `Call`; it
knows no transport. A transport takes services and guards, listens, and turns what comes into calls.
"""

from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.guard import Guard, Guarded, Refusal
from cipherlens.server.transport.needs import NEEDS, Need
from cipherlens.server.transport.passing_on import PassingOn
from cipherlens.server.transport.protocol import NewTransport, Transport
from cipherlens.server.transport.service import Method, Service, service_of
from cipherlens.server.transport.status import CODES, Codes
from cipherlens.server.transport.watched import WatchedGuard

__all__ = [
    "CODES",
    "NEEDS",
    "Admission",
    "Codes",
    "Guard",
    "Guarded",
    "Method",
    "Need",
    "NewTransport",
    "PassingOn",
    "Refusal",
    "Service",
    "Transport",
    "WatchedGuard",
    "service_of",
]
