"""The calibration that train writes: temperature from validation, frequencies from the training images."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import softmax
from skinlesion.train.calibrate import calibrate

NATURAL = np.array([0.1, 0.05, 0.15, 0.05, 0.1, 0.5, 0.05])
TRUTH = np.eye(7)
BALANCED = np.full(7, 1 / 7)


@pytest.fixture(scope="module")
def splits() -> pd.DataFrame:
    """Training is balanced with copies; 1,000 originals at NATURAL frequencies; the test split is all melanoma."""
    balanced = [(code, number >= 30, "train") for code in CODES for number in range(100)]
    rest = [
        (code, False, "unused") for code, part in zip(CODES, NATURAL, strict=True) for _ in range(int(1000 * part) - 30)
    ]
    tested = [("mel", False, "test")] * 500
    return pd.DataFrame(balanced + rest + tested, columns=["dx", "augmented", "split"])


def draw(frequencies: np.ndarray, temperature: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels at `frequencies`, and probabilities that are right at balanced ones except for the temperature."""
    random = np.random.default_rng(5)
    labels = random.choice(7, count, p=frequencies)
    evidence = random.normal(size=(count, 7)) + 2 * TRUTH[labels]
    return labels, softmax(2 * evidence * temperature)  # log density ratio of these Gaussians: 2 * evidence


def test_natural_frequencies_are_those_of_all_originals_outside_test(splits):
    calibration = calibrate(splits, *draw(NATURAL, 1, 100), BALANCED)
    np.testing.assert_allclose(calibration.natural, NATURAL, atol=1e-12)


@pytest.mark.parametrize("planted", [0.6, 1.0, 2.0])
def test_the_temperature_is_recovered_although_validation_has_other_frequencies(planted, splits):
    labels, predicted = draw(NATURAL, planted, 60_000)
    calibration = calibrate(splits, labels, predicted, BALANCED)
    assert calibration.temperature == pytest.approx(planted, rel=0.03)
    corrected = calibration.corrected(predicted)
    np.testing.assert_allclose(corrected.mean(axis=0), NATURAL, atol=0.006)
