"""The tables behind the plots: every image counted once, curves that rise, every class and measure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import plots
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.evaluate.metrics import per_class
from skinlesion.model.predictions import Predictions

LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.zeros((5, 7))
PROBABILITIES[:, 0] = [0.7, 0.15, 0.2, 0.1, 0.0]
PROBABILITIES[:, 1] = [0.3, 0.85, 0.8, 0.9, 0.4]
PROBABILITIES[:, 4] = [0.0, 0.0, 0.0, 0.0, 0.6]

UNIFORM = np.full((5, 7), 1 / 7)
ROWS = pd.DataFrame({"group": list("aabcd"), "leaked": [True, True, False, False, False]})
TEST = Predictions(ROWS, LABELS, {"raw": PROBABILITIES, "calibrated": PROBABILITIES, "natural": UNIFORM})
DRAWS = Bootstrap.over(ROWS["group"], 200, seed=1)


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


def test_precision_recall_by_hand():
    """akiec by falling probability: akiec, other, akiec, other, other."""
    table = plots.precision_recall(LABELS, PROBABILITIES)
    akiec = table[table["dx"] == "akiec"].set_index("recall")["precision"]
    assert (akiec[akiec.index <= 0.5] == 1).all()
    assert akiec[akiec.index > 0.5].to_numpy() == pytest.approx(2 / 3)
    assert set(table["dx"]) == {"akiec", "bcc"}, "classes without images have no curve"


def test_classes_are_those_of_the_metrics_with_their_intervals():
    table = plots.classes(TEST, DRAWS)
    assert len(table) == 7 * 5
    assert tuple(table["dx"].unique()) == CODES
    expected = per_class(LABELS, PROBABILITIES)
    for row in table.itertuples():
        assert row.support == expected[row.dx]["support"]
        assert row.value == pytest.approx(expected[row.dx][row.measure], nan_ok=True)
        if row.support == 0:
            assert np.isnan([row.value, row.low, row.high]).all()
        elif row.measure in ("sensitivity", "specificity", "precision"):
            assert row.low < row.high, "no proportion is certain"
            assert row.low <= row.value + 1e-6 and row.value <= row.high + 1e-6


def test_malignant_against_benign_by_hand():
    """Three melanomas and bcc's, of which one is called nv; two nevi, of which one is called mel."""
    labels, predicted = np.array([1, 4, 4, 5, 5]), [1, 4, 5, 5, 4]
    some = Predictions(ROWS, labels, {"raw": np.eye(7)[predicted]})
    rows = plots.malignant(some, DRAWS).set_index("measure")
    assert rows["value"].to_dict() == pytest.approx({"sensitivity": 2 / 3, "specificity": 1 / 2, "roc_auc": 7 / 12})
    assert ((rows["low"] <= rows["value"]) & (rows["value"] <= rows["high"])).all()


def test_reliability_has_a_row_per_bin_of_each_variant_and_a_line_to_compare_with():
    table = plots.reliability_by_variant(TEST)
    assert table["line"].value_counts().to_dict() == {"raw": 5, "calibrated": 5, "natural": 1, "perfect": 2}
    assert table.loc[table["line"] == "raw", "images"].sum() == len(LABELS)


def test_calibration_compares_the_variants():
    table = plots.calibration(TEST).set_index("variant")
    assert table.index.tolist() == ["raw", "calibrated", "natural"]
    assert table.loc["raw", "log_loss"] == pytest.approx(-np.log(PROBABILITIES[range(5), LABELS]).mean())
    assert table.loc["natural", "log_loss"] == pytest.approx(np.log(7)), "uniform"


def test_leaks_are_counted_and_scored_apart():
    """Wrong are image 1 (akiec taken for bcc) and image 4 (bcc taken for mel); 0, 2 and 3 leak, 2 and 3 are bcc."""
    some = replace(TEST, rows=TEST.rows.assign(leaked=[True, False, True, True, False]))
    table = plots.leaks(some).set_index("stratum")
    assert table["images"].to_dict() == {"all": 5, "with a sibling in train": 3, "without": 2}
    assert table["accuracy"].tolist() == pytest.approx([3 / 5, 1, 0])
    assert table["balanced_accuracy"].tolist() == pytest.approx([(1 / 2 + 2 / 3) / 2, 1, 0])


def test_strata_are_compared_over_the_classes_that_both_have():
    """Without a sibling there are bcc's alone; the akiec among the leaking ones has no part in their score."""
    some = replace(TEST, rows=TEST.rows.assign(leaked=[True, True, True, False, False]))
    table = plots.leaks(some).set_index("stratum")
    assert table["classes"].to_dict() == {"all": "akiec bcc", "with a sibling in train": "bcc", "without": "bcc"}
    assert table["accuracy"].tolist() == pytest.approx([3 / 5, 1, 1 / 2])
    assert table["images"].tolist() == [5, 3, 2]


def test_strata_without_a_class_in_common_have_no_score():
    table = plots.leaks(TEST).set_index("stratum")
    assert table["images"].to_dict() == {"all": 5, "with a sibling in train": 2, "without": 3}
    assert table["accuracy"].isna().tolist() == [False, True, True]


def test_where_nothing_leaks_there_is_no_score_of_it():
    clean = replace(TEST, rows=TEST.rows.assign(leaked=False))
    table = plots.leaks(clean).set_index("stratum")
    assert table.loc["with a sibling in train", "images"] == 0
    assert np.isnan(table.loc["with a sibling in train", "accuracy"])
    assert table.loc["without", "accuracy"] == table.loc["all", "accuracy"]
