"""Which columns of predictions.csv, in which split, each table of an evaluation depends on."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.results import evaluate_external, evaluate_test
from skinlesion.model.predictions import ABOUT, COLUMNS, PATIENT, VARIANTS

HEADLINE = "confusion roc precision_recall classes malignant floors leaks subgroups referral"


@pytest.mark.parametrize(
    ("split", "column", "changed"),
    [
        ("test", "", f"{HEADLINE} reliability calibration"),
        ("test", "calibrated_", "reliability calibration"),
        ("test", "natural_", "reliability calibration operating_points decision_curve"),
        (
            "test",
            "group",
            "classes malignant floors subgroups operating_points",
        ),  # their intervals: draws are of lesions
        ("validation", "natural_", "operating_points"),  # the thresholds
        ("test", "patient_", "floors"),
        ("validation", "", "floors"),  # the weight of the fusion
        ("validation", "patient_", "floors"),
    ],
)
def test_a_table_changes_only_with_the_columns_that_it_depends_on(split: str, column: str, changed: str) -> None:
    """Values of the columns change places in one split."""
    table = make_table("validation", "test")
    columns = ["group"] if column == "group" else [column + code for code in CODES]
    other, members = table.copy(), table["split"] == split
    other.loc[members, columns] = table.loc[members, columns].sample(frac=1, random_state=1).to_numpy()
    before, after = (evaluate_test(each, seed=1, bootstrap=50) for each in (table, other))
    assert {name for name, rows in before.tables.items() if not rows.equals(after.tables[name])} == {*changed.split()}
    assert (before.figures == after.figures) == ("floors" not in changed or column == "group")
    assert (before.intervals == after.intervals) == ("classes" not in changed)


def test_the_external_set_is_scored_as_the_test_split_is() -> None:
    """The same predictions under either name have the same figures, intervals and tables; none have no rows."""
    as_test, as_external = make_table("validation", "test"), make_table("validation", "external")
    inner, outer = evaluate_test(as_test, 1, 50), evaluate_external(as_external, 1, 50)
    assert outer.figures.items() <= inner.figures.items()
    assert outer.figures.keys() >= {"balanced_accuracy", "aurc", "calibration_error", "malignant_roc_auc"}
    assert outer.intervals == inner.intervals
    bounded = {name: bounds for name, bounds in inner.intervals.items() if bounds["low"] is not None}
    assert bounded.keys() >= {"accuracy", "balanced_accuracy", "f1_macro"}
    for name, bounds in bounded.items():
        assert bounds["low"] < inner.figures[name] < bounds["high"], name
    for name, rows in outer.tables.items():
        pd.testing.assert_frame_equal(rows, inner.tables[name])
    absent = evaluate_external(as_test, 1, 50)
    assert absent.figures == absent.intervals == {}
    assert {name: list(rows) for name, rows in absent.tables.items() if rows.empty} == {
        name: list(rows) for name, rows in outer.tables.items()
    }


def make_table(*splits: str) -> pd.DataFrame:
    """Predictions of 70 images of 35 lesions in each split; the three variants are unrelated."""
    number = np.arange(70 * len(splits))
    rows = {"split": np.repeat(splits, 70), "path": number, "image_id": number, "group": number // 2}
    table = pd.DataFrame({**rows, "dx": np.take(CODES, number // 2 % 7), "leaked": number % 3 == 0, "lesion_images": 2})
    table = table.reindex(columns=COLUMNS).assign(**dict.fromkeys(ABOUT[1:], "unknown"))
    for prefix in (*VARIANTS.values(), PATIENT):
        table[[prefix + code for code in CODES]] = np.random.default_rng(len(prefix)).dirichlet(np.ones(7), len(number))
    return table
