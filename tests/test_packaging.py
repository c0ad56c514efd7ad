"""The list of packages says what there is: setuptools does not find mapped folders by itself."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "base": "cipherlens.base",
    "crypto": "cipherlens.crypto",
    "model": "cipherlens.model",
    "server": "cipherlens.server",
    "client": "cipherlens.client",
    "proto/cipherlens/v1": "cipherlens.v1",
    "proto/cipherlens/wire": "cipherlens.wire",
}


def test_every_package_is_listed_and_mapped() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    there = {
        name + "".join(f".{part}" for part in found.parent.relative_to(ROOT / folder).parts): str(
            found.parent.relative_to(ROOT)
        )
        for folder, name in FOLDERS.items()
        for found in (ROOT / folder).rglob("__init__.py")
    }
    assert set(settings["packages"]) == set(there)
    assert settings["package-dir"] == there


def test_every_package_at_the_top_is_typed() -> None:
    assert all((ROOT / folder / "py.typed").exists() for folder in FOLDERS)


def test_data_files_travel_with_their_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    kept = {".csv", ".json", ".safetensors", ".toml"}
    for folder, name in FOLDERS.items():
        found = {path.name for path in (ROOT / folder).iterdir() if path.suffix in kept}
        assert found == set(settings["package-data"].get(name, [])), name


def test_the_files_of_the_gallery_s_page_travel_with_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert settings["package-data"]["cipherlens.client.web"] == ["page/*"]
    assert all(each.is_file() for each in (ROOT / "client/web/page").iterdir())


def test_the_library_needs_nothing_of_the_command_line() -> None:
    hidden = "import sys; sys.modules.update(dict.fromkeys(['typer', 'click', 'rich'])); "
    library = "import cipherlens.client, cipherlens.crypto, cipherlens.wire"
    subprocess.run([sys.executable, "-c", hidden + library], check=True)


def test_the_generated_code_asks_for_no_version() -> None:
    for path in (ROOT / "proto/cipherlens/v1").glob("*_pb2*.py"):
        text = path.read_text()
        assert "runtime_version" not in text, path
        assert "GRPC_GENERATED_VERSION" not in text, path
