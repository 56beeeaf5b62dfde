"""Temperature and class frequencies: planted values are recovered."""

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


def sharpen(temperature: float) -> np.ndarray:
    """HONEST as a model gives it that needs this temperature."""
    return softmax(np.log(np.maximum(HONEST, 1e-6)) * temperature)


def test_scaling_by_hand():
    """At temperature 2 probabilities become their square roots, and sum to 1 again; the order stays."""
    scaled = scale(np.array([[0.64, 0.36], [0.5, 0.5]]), 2)
    np.testing.assert_allclose(scaled, [[0.8 / 1.4, 0.6 / 1.4], [0.5, 0.5]])
    np.testing.assert_allclose(scale(HONEST, 1), HONEST, atol=1e-5)
    assert (scale(HONEST, 3).argmax(axis=1) == HONEST.argmax(axis=1)).all()
    assert scale(np.array([[1.0, 0.0, 0.0]]), 5).sum() == pytest.approx(1), "0 has no logarithm"


@pytest.mark.parametrize("planted", [0.7, 1.0, 1.8])
def test_a_planted_temperature_is_recovered_across_a_shift_of_frequencies(planted):
    """Trained on equal frequencies, validated on natural ones, where most images are of the most difficult class.

    Without the shift, the fit takes that for a lack of confidence.
    """
    random = np.random.default_rng(3)
    labels = random.choice(7, 40_000, p=NATURAL)
    strength = np.array([2, 2, 2, 2, 2, 0.5, 2])
    evidence = random.normal(size=(40_000, 7)) + np.diag(strength)[labels]
    bold = softmax((strength * evidence - strength**2 / 2) * planted)  # log likelihood ratios of the normals
    assert fit_temperature(labels, bold, NATURAL / UNIFORM) == pytest.approx(planted, rel=0.02)
    assert fit_temperature(labels, bold, np.ones(7)) != pytest.approx(planted, rel=0.1)


@pytest.mark.parametrize("planted", [0.5, 1.0, 3.0])
def test_a_planted_temperature_is_recovered_and_has_the_least_log_loss(planted):
    fitted = fit_temperature(LABELS, sharpen(planted), np.ones(7))
    assert fitted == pytest.approx(planted, rel=0.02)
    temperatures = (fitted, fitted * 1.1, fitted / 1.1)
    losses = [sklearn.metrics.log_loss(LABELS, scale(sharpen(planted), temperature)) for temperature in temperatures]
    assert losses[0] == min(losses)
    refitted = Calibration(5.0, HONEST.mean(axis=0), NATURAL).refitted(LABELS, sharpen(planted))
    assert refitted.temperature == pytest.approx(planted, rel=0.02)
    np.testing.assert_array_equal((refitted.trained, refitted.natural), (HONEST.mean(axis=0), NATURAL))


def test_planted_frequencies_are_recovered():
    """Probabilities that are right at equal frequencies become right at natural ones: Bayes' rule."""
    labels = RANDOM.choice(7, 60_000, p=NATURAL)
    evidence = RANDOM.normal(size=(60_000, 7)) + 1.5 * np.eye(7)[labels]
    balanced, right = softmax(1.5 * evidence), softmax(1.5 * evidence + np.log(NATURAL))
    corrected = to_frequencies(balanced, UNIFORM, NATURAL)
    np.testing.assert_allclose(corrected, right, atol=1e-4)
    np.testing.assert_allclose(corrected.mean(axis=0), NATURAL, atol=0.004)
    assert abs(balanced.mean(axis=0) - NATURAL).max() > 0.05, "without the correction they are wrong"


@pytest.mark.parametrize(
    ("probabilities", "trained", "natural", "expected"),
    [
        ([0.3, 0.3, 0.4], [0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [0.3, 0.3, 0.4]),
        ([0.4, 0.4, 0.2], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0, 0.4 / 0.6, 0.2 / 0.6]),
        ([0.4, 0.2, 0.4], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [2 / 3, 1 / 3, 0]),
    ],
    ids=["equal", "one class not natural, one not trained", "one class nowhere"],
)
def test_frequencies_by_hand(probabilities, trained, natural, expected):
    corrected = to_frequencies(np.array([probabilities]), np.array(trained), np.array(natural))
    np.testing.assert_allclose(corrected, [expected], atol=1e-12)


def test_a_calibration_scales_then_corrects_and_returns_from_json():
    calibration = Calibration(2.0, UNIFORM, NATURAL)
    for same in (calibration, Calibration.from_json(calibration.to_json())):
        scaled = scale(HONEST[:50], 2.0)
        expected = scaled * NATURAL / (scaled * NATURAL).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(same.corrected(HONEST[:50]), expected)
    assert calibration.to_json()["natural"]["nv"] == 0.67


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"natural": dict.fromkeys(CODES, 0.0)},
        {"trained": dict.fromkeys(CODES, float("nan"))},
        {"trained": {**dict.fromkeys(CODES, 0.2), "nv": -0.2}},
    ],
)
def test_values_that_no_training_gives_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Calibration.from_json({**Calibration(1.0, UNIFORM, NATURAL).to_json(), **wrong})
