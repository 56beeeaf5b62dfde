"""Malignant against benign, thresholds from validation, net benefit: by hand."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import clinical
from skinlesion.evaluate.clinical import MELANOMA
from skinlesion.evaluate.intervals import Bootstrap

NV = CODES.index("nv")


def scored(scores: list[float], melanomas: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities: melanoma at these scores, the first ones truly, else nevus."""
    probabilities = np.zeros((len(scores), 7))
    probabilities[:, MELANOMA] = scores
    probabilities[:, NV] = 1 - np.array(scores)
    return np.array([MELANOMA] * melanomas + [NV] * (len(scores) - melanomas)), probabilities


def test_malignant_are_akiec_bcc_and_mel():
    labels = np.arange(7)
    truth, chance = clinical.malignant(labels, np.tile(np.arange(7) / 21, (7, 1)))
    assert [CODES[label] for label in labels[truth]] == ["akiec", "bcc", "mel"]
    np.testing.assert_allclose(chance, (0 + 1 + 4) / 21)


def test_against_benign_by_hand():
    found = clinical.against_benign(*scored([0.9, 0.3, 0.6, 0.2, 0.1], melanomas=2))
    assert found == {
        "malignant_roc_auc": pytest.approx(5 / 6),
        "malignant_sensitivity": pytest.approx(1 / 2),
        "malignant_specificity": pytest.approx(2 / 3),
    }
    assert np.isnan(clinical.against_benign(*scored([0.9], melanomas=1))["malignant_roc_auc"])


@pytest.mark.parametrize(("specificity", "threshold"), [(0.85, 0.9), (0.9, 0.9), (0.95, 1.0), (0.5, 0.5), (0.51, 0.6)])
def test_the_threshold_is_the_lowest_that_is_specific_enough(specificity, threshold):
    """Ten nevi at 0.1, 0.2, ... 1.0: above 0.9 lies one of them."""
    labels, _ = scored([0.0] * 11, melanomas=1)
    scores = np.append(0.35, np.arange(1, 11) / 10)
    assert clinical.threshold_for(specificity, labels, scores) == pytest.approx(threshold)


def test_on_validation_itself_a_threshold_is_as_specific_as_wanted_and_no_lower_one_is():
    """Scores of 2 digits tie: one at the threshold is not called melanoma."""
    random = np.random.default_rng(2)
    split = scored(list(random.random(400).round(2)), melanomas=60)
    others = split[1][60:, MELANOMA]
    table = clinical.operating_points(split, split, Bootstrap.over(pd.Series(range(400)), 10, seed=0))
    for row in table.itertuples():
        assert row.specificity == (others <= row.threshold).mean() >= row.target_specificity
        assert (others <= row.threshold - 0.01).mean() < row.target_specificity


def test_a_specificity_that_the_images_reach_exactly_is_reached():
    """55% of 100 nevi are 55, though 0.55 times 100 is computed as a little more."""
    assert 0.55 * 100 > 55
    labels, _ = scored([0.0] * 100, melanomas=0)
    assert clinical.threshold_for(0.55, labels, np.arange(1.0, 101)) == 55


def test_operating_points_apply_the_thresholds_of_validation_to_test():
    validation = scored([0.9, *np.arange(1, 101) / 101], melanomas=1)
    test = scored([0.97, 0.88, 0.5, 0.99, 0.87, 0.2, 0.1], melanomas=3)
    draws = Bootstrap.over(pd.Series(range(7)), 200, seed=0)
    table = clinical.operating_points(validation, test, draws).set_index("target_specificity")
    assert table["threshold"].to_dict() == {
        0.85: pytest.approx(85 / 101), 0.9: pytest.approx(90 / 101), 0.95: pytest.approx(95 / 101)
    }  # fmt: skip
    assert table["sensitivity"].tolist() == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert table["specificity"].tolist() == pytest.approx([2 / 4, 3 / 4, 3 / 4])
    assert (table["low"] <= table["sensitivity"]).all() and (table["sensitivity"] <= table["high"]).all()


def test_a_threshold_never_sees_the_labels_of_test():
    random = np.random.default_rng(0)
    validation, test = (scored(list(random.random(60)), melanomas=20) for _ in range(2))
    draws = Bootstrap.over(pd.Series(range(60)), 100, seed=0)
    before = clinical.operating_points(validation, test, draws)
    after = clinical.operating_points(validation, (random.permutation(test[0]), test[1]), draws)
    assert before["threshold"].equals(after["threshold"])
    assert not before["sensitivity"].equals(after["sensitivity"])


def test_net_benefit_by_hand():
    table = clinical.decision_curve(*scored([0.9, 0.3, 0.6, 0.2, 0.1], melanomas=2))
    at = table[table["threshold"].round(2) == 0.25].set_index("line")["net_benefit"]
    assert at["model"] == pytest.approx(2 / 5 - 1 / 5 * (0.25 / 0.75))
    assert at["treat all"] == pytest.approx(2 / 5 - 3 / 5 * (0.25 / 0.75))
    assert at["treat none"] == 0
    at = table[table["threshold"].round(2) == 0.3].set_index("line")["net_benefit"]
    assert at["model"] == pytest.approx(2 / 5 - 1 / 5 * (0.3 / 0.7)), "0.3 is called malignant from 0.3 on"
    counts = table["line"].value_counts()
    assert counts["treat none"] == 99
    assert (table["net_benefit"] >= clinical.WORST).all()
    treat_all = table[table["line"] == "treat all"]
    assert treat_all["threshold"].max() == pytest.approx(0.45), "0.4 - 0.6 * 0.45 / 0.55 = -0.09; at 0.46 it is -0.11"


def test_a_perfect_model_has_the_benefit_of_every_malignant_lesion():
    table = clinical.decision_curve(*scored([1.0, 1.0, 0.0, 0.0, 0.0], melanomas=2))
    np.testing.assert_allclose(table.loc[table["line"] == "model", "net_benefit"], 2 / 5)
