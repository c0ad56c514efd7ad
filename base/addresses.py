"""Addresses as gRPC writes them, and whether what is sent there leaves this machine."""

import ipaddress
import re

_SOCKET_FILES = ("unix:", "unix-abstract:")
_LISTS = ("ipv4:", "ipv6:")


def stays_here(address: str) -> bool:
    """Return whether an address is a socket file or a loopback one: nobody else can listen in.

    A name other than "localhost" is taken to lead elsewhere, as whoever answers for it may say so.

    Args:
        address: "HOST:PORT", "[IPv6]:PORT", "unix:PATH", or with one of gRPC's other schemes.
    """
    if address.startswith(_SOCKET_FILES):
        return True
    if address.startswith(_LISTS):  # of which one is connected to
        return all(_is_loopback(each) for each in address[len("ipv4:") :].split(","))
    return _is_loopback(re.sub(r"^dns:(///?)?", "", address))


def _is_loopback(address: str) -> bool:
    host = re.sub(r":\d+$", "", address).strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
