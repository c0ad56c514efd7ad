from pathlib import Path

import cipherlens.model


def test_all_names_the_modules_and_the_parts() -> None:
    folder = Path(cipherlens.model.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    parts = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(modules | parts) == cipherlens.model.__all__
