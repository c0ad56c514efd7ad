"""Which addresses nobody else can listen in on."""

import pytest

from cipherlens.base import stays_here


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1:50051", "127.9.8.7:0", "localhost:443", "LocalHost:1", "[::1]:50051"),
        *("unix:/run/cipherlens/socket", "unix:socket", "unix-abstract:name"),
        *("dns:localhost:443", "dns:///127.0.0.1:443", "ipv4:127.0.0.1:1,127.0.0.2:2"),
        "ipv6:[::1]:50051",
    ],
)
def test_socket_files_and_loopback_stay(address: str) -> None:
    assert stays_here(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0:50051", "[::]:50051", "10.0.0.5:50051", "example.com:443", "example.com"),
        *("localhost.example.com:443", "127.0.0.1.example.com:443", "127.1:443", "2130706433:443"),
        *(
            "[::ffff:10.0.0.5]:1",
            "dns:example.com:1",
            "dns:///example.com:1",
            "dns://10.0.0.5/localhost",
        ),
        *("ipv4:127.0.0.1:1,10.0.0.5:1", "vsock:1:2", "xds:///localhost:1", ""),
    ],
)
def test_everything_else_may_leave(address: str) -> None:
    assert not stays_here(address)
