import numpy as np

from cipherlens.server.index.probing import Probing
from cipherlens.server.index.rowlog import bitmap_selector


def test_parameters_are_made_again_only_where_something_differs():
    probing, selector = Probing(), bitmap_selector(np.array([True, False]))
    first = probing.of(3)
    assert (first.nprobe, first.sel) == (3, None)
    assert probing.of(3) is first
    assert probing.of(4).nprobe == 4
    selected = probing.of(4, selector)
    assert selected.sel.is_member(0)
    assert not selected.sel.is_member(1)
    assert probing.of(4, selector) is selected
    assert probing.of(4).sel is None
