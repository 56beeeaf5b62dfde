"""The tables behind the plots: every image counted once, curves that rise, every class and measure."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.classes import CODES
from skinlesion.evaluation import plots
from skinlesion.evaluation.metrics import per_class

LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.zeros((5, 7))
PROBABILITIES[:, 0] = [0.7, 0.15, 0.2, 0.1, 0.0]
PROBABILITIES[:, 1] = [0.3, 0.85, 0.8, 0.9, 0.4]
PROBABILITIES[:, 4] = [0.0, 0.0, 0.0, 0.0, 0.6]


def test_confusion_counts_each_image_once():
    counts = plots.confusion(LABELS, PROBABILITIES).value_counts(["actual", "predicted"]).to_dict()
    assert counts == {("akiec", "akiec"): 1, ("akiec", "bcc"): 1, ("bcc", "bcc"): 2, ("bcc", "mel"): 1}


def curve(table: pd.DataFrame, dx: str) -> pd.Series:
    return table[table["dx"] == dx].set_index("false_positive_rate")["true_positive_rate"]


def test_roc_by_hand():
    """akiec by falling probability: akiec, other, akiec, other, other."""
    akiec = curve(plots.roc(LABELS, PROBABILITIES), "akiec")
    assert akiec.index.tolist() == pytest.approx(np.linspace(0, 1, plots.POINTS).tolist())
    assert akiec[0] == 0, "the curve begins in the corner"
    assert (akiec[(akiec.index > 0) & (akiec.index < 0.33)] == 0.5).all()
    assert (akiec[akiec.index > 0.34] == 1).all()


def test_roc_rises_to_one_for_the_classes_that_have_images():
    labels = np.random.default_rng(0).choice([1, 4, 5], 90)
    probabilities = np.random.default_rng(1).dirichlet(np.ones(7), 90)
    table = plots.roc(labels, probabilities)
    assert table["dx"].unique().tolist() == ["bcc", "mel", "nv"]
    for dx in ("bcc", "mel", "nv"):
        one = curve(table, dx)
        assert one.index.is_monotonic_increasing
        assert one.is_monotonic_increasing
        assert (one.index[0], one.iloc[0], one.index[-1], one.iloc[-1]) == (0, 0, 1, 1)
        assert one.iloc[1] < 0.5, "chance does not begin high"
        assert one.mean() == pytest.approx(0.5, abs=0.15), "the area under chance"


def test_classes_are_those_of_the_metrics():
    table = plots.classes(LABELS, PROBABILITIES)
    assert len(table) == 7 * 3
    expected = per_class(LABELS, PROBABILITIES)
    for row in table.itertuples():
        assert row.value == expected[row.dx][row.measure]
    assert set(table["measure"]) == {"precision", "recall", "f1"}
    assert tuple(table["dx"].unique()) == CODES


@pytest.mark.parametrize("name", plots.TABLES)
def test_tables_hold_no_missing_value(name):
    table = plots.TABLES[name](LABELS, PROBABILITIES)
    assert len(table) > 0
    assert not table.isna().any().any()
