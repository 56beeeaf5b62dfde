"""Accuracy against coverage: the most certain images first, and images of equal certainty in no order."""

import numpy as np
import pytest

from skinlesion.evaluate import referral


def table(certainty: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and probabilities (N, 7), whose highest in each row is `certainty`."""
    probabilities = np.array([[c, *[(1 - c) / 6] * 6] for c in certainty])
    return np.where(right, 0, 1), probabilities


def test_the_least_certain_are_referred_first() -> None:
    labels, probabilities = table([0.6, 0.9, 0.7, 0.8], [False, True, True, False])
    np.testing.assert_allclose(referral.accuracies(labels, probabilities), [1, 1 / 2, 2 / 3, 2 / 4])
    assert referral.aurc(labels, probabilities) == pytest.approx(1 - np.mean([1, 1 / 2, 2 / 3, 2 / 4]))


def test_equal_certainty_has_no_order() -> None:
    labels, probabilities = table([0.9, 0.9, 0.9, 0.5], [True, False, True, False])
    mixed = np.array([2, 0, 3, 1])
    first, second = (referral.accuracies(labels[order], probabilities[order]) for order in (slice(None), mixed))
    np.testing.assert_allclose(first, [2 / 3, 2 / 3, 2 / 3, 1 / 2])
    np.testing.assert_allclose(first, second)


def test_the_curve_ends_at_the_accuracy_of_all_images(noise) -> None:
    rng = np.random.default_rng(3)
    labels, probabilities = rng.integers(0, 7, 250), rng.dirichlet(np.ones(7), 250)
    curve = referral.coverage_curve("test", labels, probabilities)
    assert curve["coverage"].is_monotonic_increasing
    assert curve["coverage"].iloc[-1] == 1
    assert curve["accuracy"].iloc[-1] == pytest.approx((probabilities.argmax(axis=1) == labels).mean())
    assert len(curve) <= 101
