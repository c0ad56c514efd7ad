"""What transports promise is tried on each of them."""

import pytest


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport
