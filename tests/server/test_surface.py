import importlib

import pytest


@pytest.mark.parametrize(
    ("package", "names"),
    [
        ("cipherlens.server", []),
        ("cipherlens.server.retrieval", []),
        ("cipherlens.server.encryption", []),
        ("cipherlens.server.storage", []),
    ],
)
def test_packages_offer_what_they_say(package, names):
    assert importlib.import_module(package).__all__ == names
