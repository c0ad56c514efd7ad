"""Means over rounds, and what is drawn about them."""

from fractions import Fraction

from benchmarks.methods.cases import Case
from benchmarks.science.panels import precision_recall, share_panel, spread_panel


def test_a_line_is_the_mean_and_has_its_lowest_and_highest():
    panel = spread_panel("", "k", "precision", {"three": {1: [0.1, 0.3, 0.8], 5: [0.2, 0.2, 0.2]}})
    assert panel["lines"] == {"three": [[1, 5], [0.4, 0.2]]}
    assert panel["spread"] == {"three": [[0.1, 0.2], [0.8, 0.2]]}


def test_a_single_round_has_no_spread():
    panel = spread_panel("", "k", "precision", {"one": {1: [0.1]}, "two": {1: [0.1, 0.2]}})
    assert list(panel["spread"]) == ["two"]


def test_precision_over_recall_is_the_mean_of_the_curves():
    curves = [[1.0] * 50 + [0.5] * 51, [0.5] * 50 + [0.25] * 51]
    figures = [{"test": {"precision_at_recall": each}} for each in curves]
    (panel,) = precision_recall("", {"noise": {"a scheme": figures}})["panels"]
    recall, precision = panel["lines"]["a scheme"]
    assert (recall[0], recall[9], recall[10], recall[20]) == (0.0, 0.45, 0.5, 1.0)
    assert (precision[9], precision[10]) == (0.75, 0.375)
    assert (panel["spread"]["a scheme"][0][10], panel["spread"]["a scheme"][1][10]) == (0.25, 0.5)


def test_a_line_of_map_for_each_name_and_block_size():
    cases = [Case(block_size=size, share=Fraction(1, 4)) for size in (8, 16)]
    panel = share_panel("", {"ViT": {each: [0.5, 0.7] for each in cases}})
    assert panel["lines"] == {"ViT P=8": [[0.25], [0.6]], "ViT P=16": [[0.25], [0.6]]}
