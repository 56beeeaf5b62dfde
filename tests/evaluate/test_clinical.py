"""Malignant against benign, thresholds from validation, and net benefit: by hand."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import clinical
from skinlesion.evaluate.clinical import MELANOMA
from skinlesion.evaluate.intervals import Bootstrap

NV = CODES.index("nv")


def make_split(scores: list[float], melanomas: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of melanoma or nevus: the first `melanomas` scores belong to melanomas."""
    probabilities = np.zeros((len(scores), 7))
    probabilities[:, MELANOMA] = scores
    probabilities[:, NV] = 1 - np.array(scores)
    return np.array([MELANOMA] * melanomas + [NV] * (len(scores) - melanomas)), probabilities


def draw(images: int, draws: int = 200) -> Bootstrap:
    return Bootstrap.draw(pd.Series(range(images)), draws, seed=0)


def test_malignant_are_akiec_bcc_and_mel():
    labels = np.arange(7)
    truth, scores = clinical.sum_malignant(labels, np.tile(np.arange(7) / 21, (7, 1)))
    assert [CODES[label] for label in labels[truth]] == ["akiec", "bcc", "mel"]
    np.testing.assert_allclose(scores, (0 + 1 + 4) / 21)


def test_malignant_metrics_by_hand():
    table = clinical.malignant_metrics(*make_split([0.9, 0.3, 0.6, 0.2, 0.1], melanomas=2), draw(5))
    values = table.set_index("measure")["value"].to_dict()
    assert values == pytest.approx({"sensitivity": 1 / 2, "specificity": 2 / 3, "roc_auc": 5 / 6})
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    alone = clinical.malignant_metrics(*make_split([0.9], melanomas=1), draw(1)).set_index("measure")["value"]
    assert alone.isna().to_dict() == {"sensitivity": False, "specificity": True, "roc_auc": True}


@pytest.mark.parametrize(("specificity", "threshold"), [(0.85, 0.9), (0.9, 0.9), (0.95, 1.0), (0.5, 0.5), (0.51, 0.6)])
def test_the_threshold_is_the_lowest_with_the_specificity(specificity, threshold):
    """Ten nevi at 0.1, 0.2, to 1.0: one of them is above 0.9."""
    labels, _ = make_split([0.0] * 11, melanomas=1)
    scores = np.append(0.35, np.arange(1, 11) / 10)
    assert clinical.choose_threshold(specificity, labels, scores) == pytest.approx(threshold)


def test_on_validation_itself_every_target_is_reached_and_no_lower_threshold_reaches_it():
    """Scores of 2 digits have ties; an image at the threshold is not called melanoma."""
    random = np.random.default_rng(2)
    split = make_split(list(random.random(400).round(2)), melanomas=60)
    others = split[1][60:, MELANOMA]
    for row in clinical.operating_points(split, split, draw(400, 10)).itertuples():
        assert row.specificity == (others <= row.threshold).mean() >= row.target_specificity
        assert (others <= row.threshold - 0.01).mean() < row.target_specificity


def test_rounding_does_not_raise_a_threshold():
    """55% of 100 nevi are 55, although 0.55 * 100 is slightly more in float64."""
    assert 0.55 * 100 > 55
    labels, _ = make_split([0.0] * 100, melanomas=0)
    assert clinical.choose_threshold(0.55, labels, np.arange(1.0, 101)) == 55


def test_thresholds_of_validation_are_applied_to_test():
    validation = make_split([0.9, *np.arange(1, 101) / 101], melanomas=1)
    labels, probabilities = make_split([0.97, 0.88, 0.5, 0.99, 0.87, 0.2, 0.1], melanomas=3)
    table = clinical.operating_points(validation, (labels, probabilities), draw(7))
    assert table["target_specificity"].tolist() == [0.85, 0.9, 0.95]
    assert table["threshold"].tolist() == pytest.approx([85 / 101, 90 / 101, 95 / 101])
    assert table["sensitivity"].tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert table["specificity"].tolist() == pytest.approx([2 / 4, 3 / 4, 3 / 4])
    assert (table["low"] <= table["sensitivity"]).all() and (table["sensitivity"] <= table["high"]).all()
    other = clinical.operating_points(validation, (labels[::-1], probabilities), draw(7))
    assert other["threshold"].equals(table["threshold"]), "labels of test do not affect thresholds"
    assert not other["sensitivity"].equals(table["sensitivity"])


def test_net_benefit_by_hand():
    table = clinical.decision_curve(*make_split([0.9, 0.3, 0.6, 0.2, 0.1], melanomas=2))
    at = table[table["threshold"].round(2) == 0.25].set_index("line")["net_benefit"]
    assert at["model"] == pytest.approx(2 / 5 - 1 / 5 * (0.25 / 0.75))
    assert at["treat all"] == pytest.approx(2 / 5 - 3 / 5 * (0.25 / 0.75))
    assert at["treat none"] == 0
    at = table[table["threshold"].round(2) == 0.3].set_index("line")["net_benefit"]
    assert at["model"] == pytest.approx(2 / 5 - 1 / 5 * (0.3 / 0.7)), "0.3 is called malignant from 0.3 on"
    assert (table["line"] == "treat none").sum() == 99
    treat_all = table[table["line"] == "treat all"]
    assert treat_all["threshold"].max() == pytest.approx(0.45), "0.4 - 0.6 * 0.45 / 0.55 = -0.09; at 0.46 it is -0.11"
