"""The metrics of metrics/test.json, by hand and by scikit-learn."""

import math

import numpy as np
import pytest
import sklearn.metrics

from skinlesion.evaluate.metrics import class_metrics, count_confusions, headline, probability_errors, reliability

# True classes akiec and bcc; predicted akiec, bcc, bcc, bcc, and mel, which has no image.
LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.zeros((5, 7))
PROBABILITIES[:, 0] = [0.7, 0.15, 0.2, 0.1, 0.0]
PROBABILITIES[:, 1] = [0.3, 0.85, 0.8, 0.9, 0.4]
PROBABILITIES[:, 4] = [0.0, 0.0, 0.0, 0.0, 0.6]


def draw(number: int, classes: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels of unequally frequent classes, and probabilities that favour them."""
    random = np.random.default_rng(seed)
    labels = random.choice(classes, number, p=np.arange(1, len(classes) + 1) / sum(range(1, len(classes) + 1)))
    probabilities = random.dirichlet(np.ones(7), number) + 0.4 * np.eye(7)[labels]
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_headline_by_hand():
    f1 = {"akiec": 2 / 3, "bcc": 2 / 3}
    area = {"akiec": (3 + 2) / (2 * 3), "bcc": (1 + 2 + 1) / (3 * 2)}  # won pairs of all pairs
    # By falling probability: akiec, other, akiec and bcc, akiec, bcc, bcc; the mean precision at images of the class.
    average_precision = {"akiec": (1 + 2 / 3) / 2, "bcc": (1 + 2 / 3 + 3 / 4) / 3}
    assert headline(LABELS, PROBABILITIES) == {
        "accuracy": pytest.approx(3 / 5),
        "balanced_accuracy": pytest.approx((1 / 2 + 2 / 3) / 2),
        "precision_macro": pytest.approx((1 + 2 / 3) / 2),
        "f1_macro": pytest.approx((f1["akiec"] + f1["bcc"]) / 2),
        "f1_weighted": pytest.approx((2 * f1["akiec"] + 3 * f1["bcc"]) / 5),
        "roc_auc_macro": pytest.approx((area["akiec"] + area["bcc"]) / 2),
        "average_precision_macro": pytest.approx((average_precision["akiec"] + average_precision["bcc"]) / 2),
        "log_loss": pytest.approx(-sum(map(math.log, [0.7, 0.15, 0.8, 0.9, 0.4])) / 5),
        "brier": pytest.approx((2 * 0.3**2 + 2 * 0.85**2 + 2 * 0.2**2 + 2 * 0.1**2 + 2 * 0.6**2) / 5),
        "calibration_error": pytest.approx((0.3 + 0.85 + 0.2 + 0.1 + 0.6) / 5),  # five images, a bin each
    }


def test_headline_is_scikit_learns_where_every_class_has_images():
    labels, probabilities = draw(200, list(range(7)), seed=1)
    predicted, metrics = probabilities.argmax(axis=1), headline(labels, probabilities)
    truth = np.eye(7)[labels]
    assert metrics == {
        "accuracy": pytest.approx(sklearn.metrics.accuracy_score(labels, predicted)),
        "balanced_accuracy": pytest.approx(sklearn.metrics.balanced_accuracy_score(labels, predicted)),
        "precision_macro": pytest.approx(sklearn.metrics.precision_score(labels, predicted, average="macro")),
        "f1_macro": pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro")),
        "f1_weighted": pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="weighted")),
        "roc_auc_macro": pytest.approx(sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovr")),
        "average_precision_macro": pytest.approx(sklearn.metrics.average_precision_score(truth, probabilities)),
        "log_loss": pytest.approx(sklearn.metrics.log_loss(labels, probabilities, labels=range(7))),
        "brier": pytest.approx(sklearn.metrics.brier_score_loss(labels, probabilities, scale_by_half=False)),
        "calibration_error": pytest.approx(loop_calibration_error(labels, probabilities)),
    }
    assert len({round(value, 6) for value in metrics.values()}) == len(metrics), "all of them differ"


def loop_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error by its definition, over 15 bins of images sorted by confidence."""
    images = sorted(zip(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, strict=True))
    bins = np.array_split(np.array(images, dtype=float), 15)
    return sum(abs(members[:, 0].sum() - members[:, 1].sum()) for members in bins) / len(images)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("classes", [[0, 1], [2, 5, 6], [0, 1, 2, 3, 4, 5]])
def test_macro_metrics_are_means_over_the_classes_that_have_images(classes):
    labels, probabilities = draw(80, classes, seed=2)
    predicted, metrics = probabilities.argmax(axis=1), headline(labels, probabilities)
    assert set(predicted) - set(classes), "a class without images is predicted"
    by_class = class_metrics(count_confusions(labels, predicted))
    names = {"precision": "precision_macro", "f1": "f1_macro", "sensitivity": "balanced_accuracy"}
    for name, figure in names.items():
        assert metrics[figure] == pytest.approx(by_class[name][classes].mean()), name
    assert all(math.isfinite(value) for value in metrics.values())


def test_images_of_equal_confidence_share_a_bin():
    """Files are often sorted by class: bins by order would show a gap between 63 right and 27 wrong images."""
    right = np.array([0.8] + [0.2 / 6] * 6)
    probabilities = np.array([right] * 63 + [np.roll(right, 1)] * 27)
    assert probability_errors(np.zeros(90, int), probabilities)["calibration_error"] == pytest.approx(0.8 - 0.7)
    # Two bins of three: the second starts at the third of four equal ones, and gets the other two as well.
    confidences = np.array([0.5, 0.6, 0.6, 0.6, 0.6, 0.9])
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    confidence, accuracy, images = reliability(np.array([0, 1, 0, 0, 0, 0]), probabilities, bins=2)
    assert confidence == pytest.approx([0.5, (4 * 0.6 + 0.9) / 5])
    assert accuracy == pytest.approx([1, 4 / 5])
    assert images.tolist() == [1, 5]


def test_a_truth_of_probability_0_has_a_finite_loss():
    """16.1, as in Keras; with the smallest float64 it would be 36 and dominate the mean."""
    assert headline(np.array([0, 1]), np.eye(7)[[0, 0]])["log_loss"] == pytest.approx(-math.log(1e-7) / 2)


@pytest.mark.filterwarnings("error")
def test_a_single_class_has_no_roc_auc():
    metrics = headline(np.zeros(4, int), draw(4, [0], seed=7)[1])
    assert math.isnan(metrics.pop("roc_auc_macro"))
    assert all(math.isfinite(value) for value in metrics.values())


def test_class_metrics_by_hand():
    metrics = class_metrics(count_confusions(LABELS, PROBABILITIES.argmax(axis=1)))
    expected = {"sensitivity": (1 / 2, 2 / 3), "specificity": (1, 1 / 2), "precision": (1, 2 / 3), "f1": (2 / 3, 2 / 3)}
    assert {name: tuple(values[:2]) for name, values in metrics.items()} == {
        name: pytest.approx(values) for name, values in expected.items()
    }
    assert all(np.isnan(metrics[name][2:]).all() for name in ("sensitivity", "precision", "f1")), "without images"


def test_reliability_bins_have_equal_mass_and_rising_confidence():
    labels, probabilities = draw(310, list(range(7)), seed=5)
    confidence, accuracy, images = reliability(labels, probabilities)
    assert images.tolist() == [21] * 10 + [20] * 5
    assert (np.diff(confidence) > 0).all()
    assert np.average(confidence, weights=images) == pytest.approx(probabilities.max(axis=1).mean())
    assert np.average(accuracy, weights=images) == pytest.approx((probabilities.argmax(axis=1) == labels).mean())
