"""Subgroups: every image in one value of each, metrics by hand, and none with too few lesions."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.core.tables import name_age_bands
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.evaluate.subgroups import AGES, METRICS, evaluate_subgroups
from skinlesion.model.predictions import Predictions

MEL, NV = CODES.index("mel"), CODES.index("nv")
# 32 lesions: 20 of men (10 melanomas, of which 8 are predicted, and 10 nevi), then 12 of others, all nevi.
LABELS = np.array([MEL] * 10 + [NV] * 22)
PREDICTED = np.array([NV] * 2 + [MEL] * 9 + [NV] * 21)
ROWS = pd.DataFrame(
    {
        "group": [f"g{number}" for number in range(32)],
        "lesion_images": [1] * 20 + [2] * 12,
        "age": [np.nan, 29.9, 30, 49, 50, 69, 70, 85] * 4,
        "sex": ["male"] * 20 + ["female"] * 9 + [None] * 3,
        "localization": "back",
        "dx_type": ["histo"] * 9 + ["follow_up"] * 23,
    }
)
DRAWS = Bootstrap.draw(ROWS["group"], 200, seed=0)


def evaluate(rows: pd.DataFrame) -> pd.DataFrame:
    test = Predictions(rows, LABELS, {}, np.eye(7)[PREDICTED], np.eye(7)[PREDICTED])
    draws = Bootstrap.draw(rows["group"], 200, seed=0)
    return evaluate_subgroups(test, draws).set_index(["subgroup", "value"])


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return evaluate(ROWS)


def test_every_image_is_in_one_value_of_each_subgroup(table):
    assert (table.groupby("subgroup")["images"].sum() == 32).all()
    assert table.loc["views of the lesion", "images"].to_dict() == {"one image": 20, "several images": 12}


def test_age_bands_include_their_lower_limit_and_rise_in_the_table(table):
    names = ["unknown", "0-29", "30-49", "30-49", "50-69", "50-69", "70+", "70+"]
    assert name_age_bands(ROWS["age"], AGES)[:8].tolist() == names
    assert table.loc["age"].index.tolist() == ["0-29", "30-49", "50-69", "70+", "unknown"]
    assert table.loc["sex"].index.tolist() == ["female", "male", "unknown"]


def test_metrics_and_intervals_by_hand(table):
    men, members = table.loc[("sex", "male")], ROWS["sex"].eq("male").to_numpy()
    assert men["balanced_accuracy"] == pytest.approx((8 / 10 + 9 / 10) / 2)
    assert men["melanoma_sensitivity"] == pytest.approx(8 / 10)
    right, melanoma = PREDICTED == LABELS, LABELS == MEL
    sensitivity, specificity = (DRAWS.select(rows).mean(right[rows]) for rows in (melanoma, members & ~melanoma))
    expected = {"balanced_accuracy": (sensitivity + specificity) / 2, "melanoma_sensitivity": sensitivity}
    for name, drawn in expected.items():
        assert [men[f"{name}_low"], men[f"{name}_high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=1e-6)


def test_too_few_lesions_have_no_metrics_however_many_images_they_have(table):
    for value, lesions in (("female", 9), ("unknown", 3)):
        row = table.loc[("sex", value)]
        assert (row["lesions"], row["note"]) == (lesions, "too few")
        assert row[METRICS].isna().all()
    paired = evaluate(ROWS.assign(group=[f"g{number // 3}" for number in range(32)]))
    men = paired.loc[("sex", "male")]
    assert (men["lesions"], men["images"], men["note"]) == (7, 20, "too few")
    assert paired.loc[("site", "back"), "note"] == "", "11 lesions, 32 images"
    assert np.isnan(paired.loc[("site", "back"), "melanoma_sensitivity"]), "10 images, but 4 lesions, of melanoma"


def test_balanced_accuracy_needs_two_classes_and_sensitivity_ten_melanomas(table):
    several = table.loc[("views of the lesion", "several images")]
    assert several["note"] == ""
    assert several[METRICS].isna().all(), "nevi only"
    others = table.loc[("diagnosis by", "follow_up")]
    assert (others["lesions"], others["note"]) == (23, "")
    assert others["balanced_accuracy"] == pytest.approx((1 + 21 / 22) / 2)
    assert np.isnan(others["melanoma_sensitivity"]), "one melanoma"
