"""The tables behind the plots: every image counted once, rising curves, every class and measure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import plots
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import Predictions

# True classes akiec and bcc; predicted akiec, bcc, bcc, bcc, and mel, which has no image.
LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.zeros((5, 7))
PROBABILITIES[:, 0] = [0.7, 0.15, 0.2, 0.1, 0.0]
PROBABILITIES[:, 1] = [0.3, 0.85, 0.8, 0.9, 0.4]
PROBABILITIES[:, 4] = [0.0, 0.0, 0.0, 0.0, 0.6]

ROWS = pd.DataFrame({"group": list("aabcd"), "leaked": [True, True, False, False, False]})
VARIANTS = {"raw": PROBABILITIES, "calibrated": PROBABILITIES, "natural": np.full((5, 7), 1 / 7)}
TEST = Predictions(ROWS, LABELS, VARIANTS, PROBABILITIES, PROBABILITIES)
DRAWS = Bootstrap.draw(ROWS["group"], 200, seed=1)


def test_confusion_counts_each_image_once():
    counts = plots.confusion(LABELS, PROBABILITIES).value_counts(["actual", "predicted"]).to_dict()
    assert counts == {("akiec", "akiec"): 1, ("akiec", "bcc"): 1, ("bcc", "bcc"): 2, ("bcc", "mel"): 1}


def test_roc_by_hand():
    """akiec by falling probability: akiec, other, akiec, other, other."""
    table = plots.roc(LABELS, PROBABILITIES)
    akiec = table[table["dx"] == "akiec"].set_index("false_positive_rate")["true_positive_rate"]
    assert akiec.index.tolist() == pytest.approx(np.linspace(0, 1, plots.POINTS).tolist())
    assert akiec[0] == 0, "the curve starts in the corner"
    assert (akiec[(akiec.index > 0) & (akiec.index < 0.33)] == 0.5).all()
    assert (akiec[akiec.index > 0.34] == 1).all()
    assert set(table["dx"]) == {"akiec", "bcc"}, "classes without images have no curve"


def test_precision_recall_by_hand():
    """akiec by falling probability: akiec, other, akiec, other, other."""
    table = plots.precision_recall(LABELS, PROBABILITIES)
    akiec = table[table["dx"] == "akiec"].set_index("recall")["precision"]
    assert (akiec[akiec.index <= 0.5] == 1).all()
    assert akiec[akiec.index > 0.5].to_numpy() == pytest.approx(2 / 3)
    assert set(table["dx"]) == {"akiec", "bcc"}, "classes without images have no curve"


def test_classes_by_hand():
    table = plots.classes(TEST, DRAWS).set_index(["dx", "measure"])
    assert len(table) == 7 * 5
    assert tuple(table.index.unique("dx")) == CODES
    akiec = {"sensitivity": 1 / 2, "specificity": 1, "precision": 1, "f1": 2 / 3, "roc_auc": 5 / 6}
    bcc = {"sensitivity": 2 / 3, "specificity": 1 / 2, "precision": 2 / 3, "f1": 2 / 3, "roc_auc": 4 / 6}
    assert table.loc["akiec", "value"].to_dict() == pytest.approx(akiec)
    assert table.loc["bcc", "value"].to_dict() == pytest.approx(bcc)
    assert table["support"].groupby("dx").first().to_dict() == dict.fromkeys(CODES, 0) | {"akiec": 2, "bcc": 3}
    assert table.loc[table["support"] == 0, ["value", "low", "high"]].isna().all(axis=None)
    shares = table.loc[(["akiec", "bcc"], ["sensitivity", "specificity", "precision"]), :]
    assert (shares["low"] < shares["high"]).all(), "no proportion is certain"
    assert ((shares["low"] <= shares["value"] + 1e-6) & (shares["value"] <= shares["high"] + 1e-6)).all()


def test_reliability_has_a_row_per_bin_of_each_variant_and_a_perfect_line():
    table = plots.reliability_by_variant(TEST)
    assert table["line"].value_counts().to_dict() == {"raw": 5, "calibrated": 5, "natural": 1, "perfect": 2}
    assert table.loc[table["line"] == "raw", "images"].sum() == len(LABELS)


def test_calibration_compares_the_variants():
    table = plots.calibration(TEST).set_index("variant")
    assert table.index.tolist() == ["raw", "calibrated", "natural"]
    assert table.loc["raw", "log_loss"] == pytest.approx(-np.log(PROBABILITIES[range(5), LABELS]).mean())
    assert table.loc["natural", "log_loss"] == pytest.approx(np.log(7)), "uniform"


@pytest.mark.parametrize(
    ("leaked", "images", "scored", "classes", "accuracy", "balanced_accuracy"),
    [  # of images with a sibling in train, and without; wrong are image 1 (akiec) and image 4 (bcc)
        ([1, 0, 1, 1, 0], (3, 2), (3, 2), ("akiec bcc", "akiec bcc"), (1, 0), (1, 0)),
        ([1, 1, 1, 0, 0], (3, 2), (1, 2), ("bcc", "bcc"), (1, 1 / 2), (1, 1 / 2)),  # scored over the shared class only
        ([1, 1, 0, 0, 0], (2, 3), (0, 0), ("", ""), (np.nan, np.nan), (np.nan, np.nan)),  # no shared class
        ([0, 0, 0, 0, 0], (0, 5), (0, 5), ("", "akiec bcc"), (np.nan, 3 / 5), (np.nan, 7 / 12)),
    ],
)
def test_leaked_and_other_images_are_scored_over_the_classes_of_both(
    leaked, images, scored, classes, accuracy, balanced_accuracy
):
    table = plots.leaks(replace(TEST, rows=ROWS.assign(leaked=np.array(leaked, bool))))
    assert table["stratum"].tolist() == ["all", "with a sibling in train", "without"]
    assert table["images"].tolist() == [5, *images]
    assert table["scored"].tolist() == [5, *scored]
    assert table["classes"].tolist() == ["akiec bcc", *classes]
    assert table["accuracy"].tolist() == pytest.approx([3 / 5, *accuracy], nan_ok=True)
    assert table["balanced_accuracy"].tolist() == pytest.approx([7 / 12, *balanced_accuracy], nan_ok=True)
