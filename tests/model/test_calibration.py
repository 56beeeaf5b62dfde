"""Temperature and priors: what was planted is found again."""

import numpy as np
import pytest
import sklearn.metrics

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration, fit_temperature, scale, softmax, to_frequencies

RANDOM = np.random.default_rng(0)
HONEST = RANDOM.dirichlet(np.full(7, 0.4), 40_000)
LABELS = (HONEST.cumsum(axis=1) > RANDOM.random((40_000, 1))).argmax(axis=1)
UNIFORM = np.full(7, 1 / 7)
NATURAL = np.array([0.03, 0.05, 0.11, 0.01, 0.11, 0.67, 0.02])


def test_scaling_by_hand():
    """At temperature 2 probabilities become their square roots, and sum to 1 again; the order stays."""
    found = scale(np.array([[0.64, 0.36], [0.5, 0.5]]), 2)
    np.testing.assert_allclose(found, [[0.8 / 1.4, 0.6 / 1.4], [0.5, 0.5]])
    np.testing.assert_allclose(scale(HONEST, 1), HONEST, atol=1e-5)
    assert (scale(HONEST, 3).argmax(axis=1) == HONEST.argmax(axis=1)).all()


def test_a_probability_of_zero_stays_a_number():
    found = scale(np.array([[1.0, 0.0, 0.0]]), 5)
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("planted", [0.7, 1.0, 1.8])
def test_a_planted_temperature_is_recovered_across_a_shift_of_frequencies(planted):
    """Trained on equal frequencies, validated on natural ones, where the hardest class to tell is most of the images.

    Without the shift, the fit takes that for a lack of confidence.
    """
    random = np.random.default_rng(3)
    labels = random.choice(7, 40_000, p=NATURAL)
    strength = np.array([2, 2, 2, 2, 2, 0.5, 2])
    evidence = random.normal(size=(40_000, 7)) + np.diag(strength)[labels]
    bold = softmax((strength * evidence - strength**2 / 2) * planted)  # log likelihood ratios of the normals
    assert fit_temperature(labels, bold, NATURAL / UNIFORM) == pytest.approx(planted, rel=0.02)
    assert fit_temperature(labels, bold) != pytest.approx(planted, rel=0.1)


@pytest.mark.parametrize("planted", [0.5, 0.8, 1.0, 1.7, 3.0])
def test_a_planted_temperature_is_recovered(planted):
    bold = softmax(np.log(np.maximum(HONEST, 1e-6)) * planted)
    assert fit_temperature(LABELS, bold) == pytest.approx(planted, rel=0.02)


def test_the_fitted_temperature_has_the_least_log_loss():
    bold = softmax(np.log(np.maximum(HONEST, 1e-6)) * 2)
    fitted = fit_temperature(LABELS, bold)
    losses = {t: sklearn.metrics.log_loss(LABELS, scale(bold, t)) for t in (fitted, fitted * 1.1, fitted / 1.1, 1.0)}
    assert min(losses, key=losses.get) == fitted


def test_planted_frequencies_are_recovered():
    """What is right where classes are equally frequent, corrected, is right where they are not: by Bayes' rule."""
    labels = RANDOM.choice(7, 60_000, p=NATURAL)
    evidence = RANDOM.normal(size=(60_000, 7)) + 1.5 * np.eye(7)[labels]
    balanced, right = softmax(1.5 * evidence), softmax(1.5 * evidence + np.log(NATURAL))
    found = to_frequencies(balanced, UNIFORM, NATURAL)
    np.testing.assert_allclose(found, right, atol=1e-4)
    np.testing.assert_allclose(found.mean(axis=0), NATURAL, atol=0.004)
    assert abs(balanced.mean(axis=0) - NATURAL).max() > 0.05, "without the correction they are wrong"


def test_equal_frequencies_change_nothing():
    np.testing.assert_allclose(to_frequencies(HONEST, NATURAL, NATURAL), HONEST, atol=1e-5)


def test_a_class_that_is_nowhere_in_the_natural_set_gets_nothing_and_one_not_trained_keeps_its_own():
    natural = np.array([0.0, 0.5, 0.5])
    found = to_frequencies(np.array([[0.4, 0.4, 0.2]]), np.array([0.5, 0.5, 0.0]), natural)
    np.testing.assert_allclose(found, [[0, 0.4 / 0.6, 0.2 / 0.6]])


def test_a_class_that_is_nowhere_at_all_gets_nothing():
    two = np.array([0.5, 0.5, 0.0])
    found = to_frequencies(np.array([[0.4, 0.2, 0.4]]), two, two)
    np.testing.assert_allclose(found, [[2 / 3, 1 / 3, 0]])


def test_calibrated_is_scaled_and_corrected_from_there():
    one = Calibration(2.0, UNIFORM, NATURAL)
    scaled = scale(HONEST[:50], 2.0)
    np.testing.assert_allclose(one.scaled(HONEST[:50]), scaled)
    expected = scaled * NATURAL / (scaled * NATURAL).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(one.corrected(HONEST[:50]), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"natural": dict.fromkeys(CODES, 0.0)},
        {"trained": dict.fromkeys(CODES, float("nan"))},
        {"trained": {**dict.fromkeys(CODES, 0.2), "nv": -0.2}},
    ],
)
def test_a_file_that_no_training_wrote_is_refused(wrong):
    """Instead of probabilities that are no numbers."""
    with pytest.raises(ValueError, match="Received"):
        Calibration.from_json({**Calibration(1.0, UNIFORM, NATURAL).to_json(), **wrong})


def test_refitting_finds_the_temperature_of_other_probabilities_of_the_same_model():
    """An average over views is less bold than one view, and needs less."""
    one = Calibration(3.0, HONEST.mean(axis=0), NATURAL)
    bold = softmax(np.log(np.maximum(HONEST, 1e-6)) * 1.4)
    found = one.refitted(LABELS, bold)
    assert found.temperature == pytest.approx(1.4, rel=0.02)
    assert (found.trained is one.trained) and (found.natural is one.natural)


def test_the_json_returns_it():
    one = Calibration(1.25, UNIFORM, NATURAL)
    again = Calibration.from_json(one.to_json())
    assert again.temperature == 1.25
    np.testing.assert_array_equal(again.trained, UNIFORM)
    np.testing.assert_array_equal(again.natural, NATURAL)
    assert one.to_json()["natural"]["nv"] == 0.67
