"""predictions.csv holds all that evaluation needs."""

import io

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.model import predictions
from skinlesion.model.calibration import Calibration, scale

RAW = np.random.default_rng(0).dirichlet(np.full(7, 0.3), 8)
CALIBRATION = Calibration(2.0, np.full(7, 1 / 7), np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.1]))
METADATA = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "d", "e", "f"],
        "age": [30.0, np.nan, 50.0, 60.0, 70.0, 80.0],
        "sex": ["male", "female", "unknown", "male", "female", "male"],
        "localization": "back",
        "dx_type": "histo",
        "lesion_id": "not needed",
    }
)


@pytest.fixture
def splits() -> pd.DataFrame:
    """Lesion 1: a and b, and a copy of a; lesion 2: c and d; e and f alone."""
    rows = [
        ("a", "1", "mel", False, "test", True),
        ("b", "1", "mel", False, "train", False),
        ("a", "1", "mel", True, "validation", True),
        ("c", "2", "nv", False, "test", False),
        ("d", "2", "nv", False, "unused", False),
        ("e", "3", "bcc", False, "test", False),
        ("f", "4", "nv", False, "train", False),
    ]
    table = pd.DataFrame(rows, columns=["image_id", "group", "dx", "augmented", "split", "leaked"])
    return table.assign(path=[f"{number}.png" for number in range(7)], operations="", balanced=True)


def through_a_file(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype={"group": str})


def write(splits: pd.DataFrame, raw: np.ndarray, split: str = "test", exponent: float = 0) -> pd.DataFrame:
    return predictions.make_table(split, raw, CALIBRATION, exponent, raw[::-1], splits, METADATA)


def test_rows_are_those_of_the_split_with_their_metadata(splits):
    table = write(splits, RAW[:3])
    assert table["path"].tolist() == ["0.png", "3.png", "5.png"]
    assert table["leaked"].tolist() == [True, False, False]
    assert table["lesion_images"].tolist() == [2, 2, 1], "copies are no further views"
    assert table["age"].tolist() == [30, 50, 70]
    assert table["sex"].tolist() == ["male", "unknown", "female"]
    copy = write(splits, RAW[:1], "validation")
    assert copy[["path", "augmented", "leaked", "age"]].to_numpy().tolist() == [["2.png", True, True, 30]]


def test_labels_and_variants_return_from_the_file_in_any_order_of_columns(splits):
    table = through_a_file(pd.concat([write(splits, RAW[3:4], "validation"), write(splits, RAW[:3])]))
    part = predictions.select_split(table[table.columns[::-1]], "test")
    assert part.labels.tolist() == [CODES.index("mel"), CODES.index("nv"), CODES.index("bcc")]
    expected = {"raw": RAW[:3], "calibrated": scale(RAW[:3], 2.0), "natural": CALIBRATION.corrected(RAW[:3])}
    assert part.probabilities.keys() == expected.keys()
    for variant, values in expected.items():
        np.testing.assert_allclose(part.probabilities[variant], values, atol=2e-6)
        np.testing.assert_allclose(part.probabilities[variant].sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(("exponent", "factors"), [(0, [1, 1, 1]), (1, [2, 4, 8]), (0.5, [2**0.5, 2, 8**0.5])])
def test_the_decision_rule_divides_by_training_frequencies_and_decides_the_prediction(exponent, factors, splits):
    trained = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8, 0, 0, 0])
    raw = np.array([[0.5, 0.3, 0.2, 0, 0, 0, 0]] * 3)
    calibration = Calibration(2.0, trained, trained)
    table = predictions.make_table("test", raw, calibration, exponent, raw, splits, METADATA)
    part = predictions.select_split(through_a_file(table), "test")
    expected = raw[:, :3] * factors / (raw[0, :3] @ factors)
    np.testing.assert_allclose(part.headline[:, :3], expected, atol=1e-5)
    assert set(table["predicted"]) == {CODES[expected[0].argmax()]}
    np.testing.assert_allclose(part.probabilities["raw"][:, :3], raw[:, :3], atol=1e-6)


def test_each_column_of_the_file_holds_what_its_name_says(splits):
    """Other programs read the file by these names."""
    table = through_a_file(write(splits, RAW[:3]))
    by_prefix = {"": RAW[:3], "calibrated_": scale(RAW[:3], 2.0), "natural_": CALIBRATION.corrected(RAW[:3])}
    by_prefix["patient_"] = RAW[2::-1]
    for prefix, values in by_prefix.items():
        np.testing.assert_allclose(table[[prefix + code for code in CODES]], values, atol=2e-6)


def test_small_probabilities_keep_their_order(splits):
    tiny = np.full((3, 7), 1e-9) + np.outer([1e-8, 2e-8, 3e-8], np.eye(7)[4])
    tiny[:, 5] = 1 - tiny.sum(axis=1)
    table = through_a_file(write(splits, tiny))
    assert table["mel"].tolist() == pytest.approx([1.1e-8, 2.1e-8, 3.1e-8], rel=1e-5)


@pytest.mark.parametrize("nearly_equal", [False, True])
def test_predicted_is_the_most_probable_class_in_the_file(nearly_equal, splits):
    """Also where two classes differ by less than the file holds, so that both columns give one accuracy."""
    raw = np.full((3, 7), 0.04) if nearly_equal else RAW[:3]
    if nearly_equal:
        raw[:, 0], raw[:, 1] = 0.3999996, 0.4000004
    table = through_a_file(write(splits, raw))
    best = predictions.select_split(table, "test").probabilities["raw"].argmax(axis=1)
    assert table["predicted"].tolist() == [CODES[number] for number in best]
    if not nearly_equal:
        assert best.tolist() == raw.argmax(axis=1).tolist()
