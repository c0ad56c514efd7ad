from pathlib import Path

import cipherlens.model


def test_all_names_the_modules() -> None:
    folder = Path(cipherlens.model.__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "fields"}
    assert sorted(modules) == cipherlens.model.__all__
