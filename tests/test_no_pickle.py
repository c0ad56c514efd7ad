"""Nothing that is shipped reads what could run code when it is read."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ["base", "crypto", "model", "server", "client", "proto"]
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
# ImageNet weights of a package, by their known digest, and as tensors alone.
KNOWN = {"model/networks/pretrained_lite0.py"}


def readers(source: str) -> Iterator[str]:
    """Yield what a module uses that unpickles."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name.split(".")[0] in PICKLES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLES:
            yield f"{node.module}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            yield "torch.load"
        elif (
            isinstance(node, ast.keyword)
            and node.arg == "allow_pickle"
            and ast.unparse(node.value) != "False"
        ):
            yield "allow_pickle"


def test_what_reads_a_pickle_is_seen() -> None:
    source = "import pickle\nfrom dill import load\nnp.load(f, allow_pickle=True)\ntorch.load(f)"
    source += "\nnp.load(f, allow_pickle=False)"
    assert sorted(readers(source)) == ["allow_pickle", "dill", "pickle", "torch.load"]


def test_nothing_that_is_shipped_reads_a_pickle() -> None:
    modules = [path for folder in SHIPPED for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(modules) > 300
    found = {path.relative_to(ROOT).as_posix(): list(readers(path.read_text())) for path in modules}
    assert {path for path, uses in found.items() if uses} == KNOWN
    for path in KNOWN:
        assert "weights_only=True" in (ROOT / path).read_text()
