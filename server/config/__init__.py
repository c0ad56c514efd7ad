"""How a server runs: built once at the entry point, checked, never changed.

What a setting is for stands with it, and so does what it may be.
"""

from cipherlens.base import Role
from cipherlens.server.config.database import DatabaseUrl
from cipherlens.server.config.ivf import IvfSettings
from cipherlens.server.config.kinds import Doc
from cipherlens.server.config.limits import Limits, Timeouts
from cipherlens.server.config.server import ServerConfig, TlsListener
from cipherlens.server.config.telling import LogSettings, TracingSettings
from cipherlens.server.config.vectors import OwnDatabase, VectorsUrl

__all__ = [
    "DatabaseUrl",
    "Doc",
    "IvfSettings",
    "Limits",
    "LogSettings",
    "OwnDatabase",
    "Role",
    "ServerConfig",
    "Timeouts",
    "TlsListener",
    "TracingSettings",
    "VectorsUrl",
]
