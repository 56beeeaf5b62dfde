"""The exponent of the decision rule, by data whose best one is known."""

import numpy as np
import pytest

from skinlesion.evaluate.decision import DECISIONS
from skinlesion.model.calibration import Calibration
from skinlesion.runtime.params.sections import Evaluate

TRAINED = np.array([0.81, 0.04, 0.03, 0.03, 0.03, 0.03, 0.03])
CALIBRATION = Calibration(1.0, TRAINED, TRAINED)


def test_params_names_the_rows_of_the_table():
    assert set(Evaluate.model_fields["decision"].annotation.__args__) == set(DECISIONS)


@pytest.mark.parametrize("planted", [0.25, 0.5, 1.0])
def test_the_exponent_that_favours_common_classes_is_found(planted):
    """Probabilities as a model gives them that favours common classes by frequency^planted."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(7), 3000)
    evidence = np.exp(random.normal(size=(len(labels), 7)) + 1.5 * np.eye(7)[labels])
    raw = evidence * TRAINED**planted
    exponent = DECISIONS["uniform"](CALIBRATION, labels, raw / raw.sum(axis=1, keepdims=True))
    assert exponent == pytest.approx(planted, abs=0.1)
    assert DECISIONS["raw"](CALIBRATION, labels, raw) == 0


def test_a_model_of_balanced_training_needs_no_rule():
    labels = np.arange(7)
    assert DECISIONS["uniform"](Calibration(1.0, np.full(7, 1 / 7), TRAINED), labels, np.eye(7)) == 0
