"""Accuracy against coverage: the most certain images first, and images of equal certainty in no order."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.evaluate import referral
from skinlesion.model.predictions import Predictions


def make(labels: np.ndarray, raw: np.ndarray, headline: np.ndarray | None = None) -> Predictions:
    return Predictions(pd.DataFrame(), labels, {"raw": raw}, raw if headline is None else headline, raw)


def table(certainty: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and probabilities (N, 7), whose highest in each row is `certainty`."""
    probabilities = np.array([[c, *[(1 - c) / 6] * 6] for c in certainty])
    return np.where(right, 0, 1), probabilities


def test_the_least_certain_are_referred_first() -> None:
    labels, probabilities = table([0.6, 0.9, 0.7, 0.8], [False, True, True, False])
    np.testing.assert_allclose(referral.accuracies(make(labels, probabilities)), [1, 1 / 2, 2 / 3, 2 / 4])
    assert referral.aurc(make(labels, probabilities)) == pytest.approx(1 - np.mean([1, 1 / 2, 2 / 3, 2 / 4]))


def test_equal_certainty_has_no_order() -> None:
    labels, probabilities = table([0.9, 0.9, 0.9, 0.5], [True, False, True, False])
    mixed = np.array([2, 0, 3, 1])
    first, second = (referral.accuracies(make(labels[order], probabilities[order])) for order in (slice(None), mixed))
    np.testing.assert_allclose(first, [2 / 3, 2 / 3, 2 / 3, 1 / 2])
    np.testing.assert_allclose(first, second)


def test_the_curve_ends_at_the_accuracy_of_all_images() -> None:
    rng = np.random.default_rng(3)
    labels, probabilities = rng.integers(0, 7, 250), rng.dirichlet(np.ones(7), 250)
    curve = referral.coverage_curve("test", make(labels, probabilities))
    assert curve["coverage"].is_monotonic_increasing
    assert curve["coverage"].iloc[-1] == 1
    assert curve["accuracy"].iloc[-1] == pytest.approx((probabilities.argmax(axis=1) == labels).mean())
    assert len(curve) <= 101


def test_a_decision_rule_changes_what_is_predicted_but_certainty_is_the_raw_probability_of_it() -> None:
    """Divided by class frequency, the rare class wins all images: the first wrongly, where raw it is least likely."""
    raw, frequency = np.array([[0.9, 0.1], [0.6, 0.4], [0.55, 0.45]]), np.array([0.95, 0.05])
    decided = raw / frequency
    assert decided.argmax(axis=1).tolist() == [1, 1, 1]
    part = make(np.array([0, 1, 1]), raw, decided)
    np.testing.assert_allclose(referral.accuracies(part), [1, 1, 2 / 3])
