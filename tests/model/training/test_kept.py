from pathlib import Path

import torch
from torch import Tensor

from cipherlens.model.training.kept import computed_once


class Work:
    """Returns tensors that tell how often it was done."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, Tensor]:
        self.times += 1
        return {"rows": torch.full((2, 3), float(self.times)), "gate": torch.ones(1)}


def test_it_is_computed_for_each_identity_once(tmp_path: Path) -> None:
    work, path = Work(), tmp_path / "model.rows"
    first = computed_once(path, "a", work)
    again = computed_once(path, "a", work)
    assert first.keys() == again.keys() == {"rows", "gate"}
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert work.times == 1
    assert computed_once(path, "b", work)["rows"][0, 0] == 2
    assert computed_once(path, "b", work)["rows"][0, 0] == 2
    assert computed_once(path, "a", work)["rows"][0, 0] == 3  # there is room for one of them


def test_a_damaged_file_costs_time_alone(tmp_path: Path) -> None:
    work, path = Work(), tmp_path / "model.rows"
    computed_once(path, "a", work)
    path.write_bytes(path.read_bytes()[:-1])
    assert computed_once(path, "a", work)["rows"][0, 0] == 2
    assert computed_once(path, "a", work)["rows"][0, 0] == 2
