"""The site: it is built, leads nowhere into the void, and lacks nothing that the sources have."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cipherlens.client.cli.app import COMMANDS
from cipherlens.server.settings import SETTINGS
from cipherlens.v1 import encryption_service_pb2, retrieval_service_pb2

ROOT = Path(__file__).parents[2]
SITE = ROOT / "build" / "site"
SERVICES = [
    retrieval_service_pb2.DESCRIPTOR.services_by_name["RetrievalService"],
    encryption_service_pb2.DESCRIPTOR.services_by_name["EncryptionService"],
]


@pytest.fixture(scope="module")
def built() -> None:
    """The site anew; links and anchors that lead nowhere are failures of the build."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "site"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def page(name: str) -> str:
    return (SITE / "reference" / name / "index.html").read_text()


@pytest.mark.usefixtures("built")
def test_every_command_call_and_setting_is_there() -> None:
    commands, calls, settings = page("commands"), page("rpcs"), page("settings")
    assert [each for each in COMMANDS if f'id="{each}"' not in commands] == []
    methods = [method.name for service in SERVICES for method in service.methods]
    assert [each for each in methods if f"<strong>{each}</strong>" not in calls] == []
    names = [each.name.rpartition(".")[2] for each in SETTINGS]
    assert [each for each in names if f"<code>{each}</code>" not in settings] == []
    assert "search_image" in page("python")


@pytest.mark.usefixtures("built")
def test_a_page_asks_nobody_else_for_anything() -> None:
    loaded = re.compile(r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"?(https?:)?//")
    pages = list(SITE.rglob("*.html"))
    assert len(pages) > 20
    assert [each.name for each in pages if loaded.search(each.read_text())] == []
