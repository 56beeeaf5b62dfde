"""Subgroups: every image in one value of each, figures by hand, and none where there are too few lesions."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import subgroups
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import Predictions

MEL, NV = CODES.index("mel"), CODES.index("nv")


@pytest.fixture
def test_split() -> Predictions:
    """32 lesions: 20 of men, of which the first 10 are melanomas and 8 of those are found; 12 of others, all nevi."""
    labels = np.array([MEL] * 10 + [NV] * 22)
    predicted = labels.copy()
    predicted[:2] = NV
    predicted[10] = MEL
    rows = pd.DataFrame(
        {
            "group": [f"g{number}" for number in range(32)],
            "lesion_images": [1] * 20 + [2] * 12,
            "age": [np.nan, 29.9, 30, 49, 50, 69, 70, 85] * 4,
            "sex": ["male"] * 20 + ["female"] * 9 + [None] * 3,
            "localization": "back",
            "dx_type": ["histo"] * 9 + ["follow_up"] * 23,
        }
    )
    return Predictions(rows, labels, {"raw": np.eye(7)[predicted]})


@pytest.fixture
def table(test_split) -> pd.DataFrame:
    draws = Bootstrap.over(test_split.rows["group"], 200, seed=0)
    return subgroups.table(test_split, draws).set_index(["subgroup", "value"])


def test_every_image_is_in_one_value_of_each_subgroup(table):
    assert (table.groupby("subgroup")["images"].sum() == 32).all()
    assert table.loc["views of the lesion", "images"].to_dict() == {"one image": 20, "several images": 12}


def test_age_bands_begin_with_their_lower_bound(test_split):
    assert subgroups.age_bands(test_split.rows)[:8].tolist() == [
        "unknown", "under 30", "30 to 49", "30 to 49", "50 to 69", "50 to 69", "70 and over", "70 and over"
    ]  # fmt: skip


def test_values_are_sorted_and_ages_by_age(test_split):
    rows = pd.concat([test_split.rows] * 2, ignore_index=True).assign(sex=["male", "female"] * 32)
    twice = Predictions(rows, np.tile(test_split.labels, 2), {"raw": np.tile(test_split.probabilities["raw"], (2, 1))})
    table = subgroups.table(twice, Bootstrap.over(rows["group"], 20, seed=0))
    values = table.groupby("subgroup")["value"].agg(list)
    assert values["age"] == ["under 30", "30 to 49", "50 to 69", "70 and over", "unknown"]
    assert values["sex"] == ["female", "male"]


def test_figures_by_hand(table):
    men = table.loc[("sex", "male")]
    assert men["balanced_accuracy"] == pytest.approx((8 / 10 + 9 / 10) / 2)
    assert men["melanoma_sensitivity"] == pytest.approx(8 / 10)
    assert men["balanced_accuracy_low"] < men["balanced_accuracy"] < men["balanced_accuracy_high"]
    assert men["melanoma_sensitivity_low"] < 8 / 10 < men["melanoma_sensitivity_high"]


def test_intervals_are_those_of_a_plain_loop_over_the_images_of_the_subgroup(test_split):
    draws = Bootstrap.over(test_split.rows["group"], 200, seed=0)
    men = test_split.rows["sex"].eq("male").to_numpy()
    predicted = test_split.probabilities["raw"].argmax(axis=1)
    expected = {"balanced_accuracy": [], "melanoma_sensitivity": []}
    for weights in draws.weights:
        images = np.repeat(np.arange(32), weights.astype(int))
        images = images[men[images]]
        labels, right = test_split.labels[images], (predicted == test_split.labels)[images]
        by_label = [right[labels == label].mean() for label in np.unique(labels)]
        expected["balanced_accuracy"] += [np.mean(by_label)] if by_label else []
        expected["melanoma_sensitivity"] += [right[labels == MEL].mean()] if MEL in labels else []
    row = subgroups.table(test_split, draws).set_index(["subgroup", "value"]).loc[("sex", "male")]
    for name, values in expected.items():
        assert [row[f"{name}_low"], row[f"{name}_high"]] == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_it_is_lesions_that_are_too_few_whatever_images_show_them(test_split):
    paired = test_split.rows.assign(group=[f"g{number // 3}" for number in range(32)])
    split = Predictions(paired, test_split.labels, test_split.probabilities)
    table = subgroups.table(split, Bootstrap.over(paired["group"], 20, seed=0)).set_index(["subgroup", "value"])
    men = table.loc[("sex", "male")]
    assert (men["lesions"], men["images"], men["note"]) == (7, 20, "too few")
    assert table.loc[("site", "back"), "note"] == "", "11 lesions, 32 images"


def test_too_few_lesions_have_no_figures(table):
    for value, lesions in (("female", 9), ("unknown", 3)):
        row = table.loc[("sex", value)]
        assert (row["lesions"], row["note"]) == (lesions, "too few")
        assert row[subgroups.FIGURES].isna().all()


def test_one_class_has_no_balanced_accuracy_and_no_melanoma_no_sensitivity(table):
    several = table.loc[("views of the lesion", "several images")]
    assert several["note"] == ""
    assert several[subgroups.FIGURES].isna().all()


def test_a_single_melanoma_has_no_sensitivity_among_many_lesions(table):
    """It would be 0 or 1, with an interval of no width."""
    others = table.loc[("diagnosis by", "follow_up")]
    assert (others["lesions"], others["note"]) == (23, "")
    assert others["balanced_accuracy"] == pytest.approx((1 + 21 / 22) / 2)
    assert np.isnan(others["melanoma_sensitivity"])
