"""The figures of metrics/test.json, by hand and by scikit-learn."""

import math

import numpy as np
import pytest
import sklearn.metrics

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.metrics import calibration_error, headline, per_class, reliability

# akiec bcc mel; the last image is a bcc taken for a mel, of which there is no image
LABELS = np.array([0, 0, 1, 1, 1])
PROBABILITIES = np.zeros((5, 7))
PROBABILITIES[:, 0] = [0.7, 0.15, 0.2, 0.1, 0.0]
PROBABILITIES[:, 1] = [0.3, 0.85, 0.8, 0.9, 0.4]
PROBABILITIES[:, 4] = [0.0, 0.0, 0.0, 0.0, 0.6]


def random(number: int, classes: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of `classes`, unequally many, and probabilities that lean to them."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(classes, number, p=np.arange(1, len(classes) + 1) / sum(range(1, len(classes) + 1)))
    probabilities = generator.dirichlet(np.ones(7), number) + 0.4 * np.eye(7)[labels]
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_headline_by_hand():
    """Predicted: akiec, bcc, bcc, bcc, mel."""
    found = headline(LABELS, PROBABILITIES)
    recall = {"akiec": 1 / 2, "bcc": 2 / 3}
    precision = {"akiec": 1 / 1, "bcc": 2 / 3}
    f1 = {code: 2 * precision[code] * recall[code] / (precision[code] + recall[code]) for code in recall}
    # pairs of an image of the class and one of another, in which the first has the higher probability
    area = {"akiec": (3 + 2) / (2 * 3), "bcc": (1 + 2 + 1) / (3 * 2)}
    assert found == {
        "accuracy": pytest.approx(3 / 5),
        "balanced_accuracy": pytest.approx((1 / 2 + 2 / 3) / 2),
        "precision_macro": pytest.approx((1 + 2 / 3) / 2),
        "f1_macro": pytest.approx((f1["akiec"] + f1["bcc"]) / 2),
        "f1_weighted": pytest.approx((2 * f1["akiec"] + 3 * f1["bcc"]) / 5),
        "roc_auc_macro": pytest.approx((area["akiec"] + area["bcc"]) / 2),
        # akiec ranks akiec, other, akiec; bcc ranks bcc, akiec, bcc, bcc, akiec; hits and places among the ranks
        "average_precision_macro": pytest.approx(((1 + 2 / 3) / 2 + bcc_precision(0.9, 0.8, 0.4)) / 2),
        "log_loss": pytest.approx(-sum(map(math.log, [0.7, 0.15, 0.8, 0.9, 0.4])) / 5),
        "brier": pytest.approx((2 * 0.3**2 + 2 * 0.85**2 + 2 * 0.2**2 + 2 * 0.1**2 + 2 * 0.6**2) / 5),
        # five images, a bin each
        "calibration_error": pytest.approx((0.3 + 0.85 + 0.2 + 0.1 + 0.6) / 5),
    }


def bcc_precision(*positives: float) -> float:
    """Average precision by its definition: the precision at the score of each bcc, averaged."""
    scores = PROBABILITIES[:, 1]
    return float(np.mean([sum(one >= score for one in positives) / (scores >= score).sum() for score in positives]))


def test_headline_is_scikit_learns_where_every_class_has_images():
    labels, probabilities = random(200, list(range(7)), seed=1)
    assert len(set(labels)) == 7
    predicted, found = probabilities.argmax(axis=1), headline(labels, probabilities)
    assert found == {
        "accuracy": pytest.approx(sklearn.metrics.accuracy_score(labels, predicted)),
        "balanced_accuracy": pytest.approx(sklearn.metrics.recall_score(labels, predicted, average="macro")),
        "precision_macro": pytest.approx(sklearn.metrics.precision_score(labels, predicted, average="macro")),
        "f1_macro": pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro")),
        "f1_weighted": pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="weighted")),
        "roc_auc_macro": pytest.approx(sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovr")),
        "average_precision_macro": pytest.approx(
            sklearn.metrics.average_precision_score(np.eye(7)[labels], probabilities, average="macro")
        ),
        "log_loss": pytest.approx(sklearn.metrics.log_loss(labels, probabilities, labels=range(7))),
        "brier": pytest.approx(
            sklearn.metrics.brier_score_loss(labels, probabilities, labels=range(7), scale_by_half=False)
        ),
        "calibration_error": pytest.approx(gap_by_loop(labels, probabilities)),
    }
    assert len({round(value, 6) for value in found.values()}) == len(found), "all of them differ"


def gap_by_loop(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error by its definition: one image after the other, by rising confidence, into 15 bins."""
    images = sorted(zip(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels, strict=True))
    gap, begin = 0.0, 0
    for number in range(15):
        end = begin + len(images) // 15 + (number < len(images) % 15)
        gap += abs(sum(confidence - right for confidence, right in images[begin:end]))
        begin = end
    return gap / len(images)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("classes", [[0, 1], [2, 5, 6], [0, 1, 2, 3, 4, 5]])
def test_a_class_without_images_is_neither_no_number_nor_a_zero(classes):
    """The macro figures are the means over the classes that are there."""
    labels, probabilities = random(80, classes, seed=2)
    found, by_class = headline(labels, probabilities), per_class(labels, probabilities)
    assert set(probabilities.argmax(axis=1)) - set(classes), "a class without images is predicted"
    macro = {
        "precision": "precision_macro",
        "f1": "f1_macro",
        "sensitivity": "balanced_accuracy",
        "roc_auc": "roc_auc_macro",
    }
    for name, figure in macro.items():
        assert found[figure] == pytest.approx(np.mean([by_class[CODES[label]][name] for label in classes])), name
    assert all(math.isfinite(value) for value in found.values())


def test_perfect_and_useless_predictions():
    labels = np.arange(14) % 7
    perfect = headline(labels, np.eye(7)[labels])
    for name in ("log_loss", "brier", "calibration_error"):
        assert perfect.pop(name) == pytest.approx(0, abs=1e-9)
    assert set(perfect.values()) == {1.0}
    useless = headline(labels, np.full((14, 7), 1 / 7))
    assert useless["balanced_accuracy"] == pytest.approx(1 / 7)
    assert useless["roc_auc_macro"] == pytest.approx(1 / 2)
    assert useless["log_loss"] == pytest.approx(math.log(7))
    assert useless["brier"] == pytest.approx((6 / 7) ** 2 + 6 / 49)
    assert useless["average_precision_macro"] == pytest.approx(1 / 7)


def test_figures_do_not_hang_on_the_order_of_the_images():
    labels, probabilities = random(60, list(range(7)), seed=3)
    order = np.random.default_rng(0).permutation(60)
    assert headline(labels, probabilities) == pytest.approx(headline(labels[order], probabilities[order]))


def test_figures_do_not_hang_on_the_order_of_images_of_one_confidence():
    """A softmax of 6 digits often says the same of many images; files often have them sorted by what they show."""
    labels = np.zeros(90, int)
    right = np.array([0.8] + [0.2 / 6] * 6)
    wrong = np.roll(right, 1)
    probabilities = np.array([right] * 63 + [wrong] * 27)
    assert calibration_error(labels, probabilities) == pytest.approx(0.8 - 0.7)
    confidence, accuracy, images = reliability(labels, probabilities)
    assert (confidence.tolist(), accuracy.tolist(), images.tolist()) == ([pytest.approx(0.8)], [0.7], [90])


def test_equal_confidences_among_others_share_a_bin():
    """Two bins of three: the second begins at the third of four equal ones, and gets the other two as well."""
    confidences = np.array([0.5, 0.6, 0.6, 0.6, 0.6, 0.9])
    probabilities = np.stack([confidences, 1 - confidences], axis=1)
    confidence, accuracy, images = reliability(np.array([0, 1, 0, 0, 0, 0]), probabilities, bins=2)
    assert confidence == pytest.approx([0.5, (4 * 0.6 + 0.9) / 5])
    assert accuracy == pytest.approx([1, 4 / 5])
    assert images.tolist() == [1, 5]


def test_a_truth_that_rounds_to_0_costs_what_the_least_probability_does():
    """16.1, as in Keras; to the last digit of a float64 it would be 36, and one image would decide the figure."""
    found = headline(np.array([0, 1]), np.eye(7)[[0, 0]])
    assert found["log_loss"] == pytest.approx(-math.log(1e-7) / 2)


@pytest.mark.filterwarnings("error")
def test_one_class_alone_has_no_area():
    labels = np.zeros(4, int)
    _, probabilities = random(4, [0], seed=7)
    found = headline(labels, probabilities)
    assert math.isnan(found.pop("roc_auc_macro"))
    assert all(math.isfinite(value) for value in found.values())


def test_per_class_by_hand():
    found = per_class(LABELS, PROBABILITIES)
    assert tuple(found) == CODES
    akiec = {"sensitivity": 1 / 2, "specificity": 1, "precision": 1, "f1": 2 / 3, "roc_auc": 5 / 6, "support": 2}
    bcc = {"sensitivity": 2 / 3, "specificity": 1 / 2, "precision": 2 / 3, "f1": 2 / 3, "roc_auc": 4 / 6, "support": 3}
    assert found["akiec"] == pytest.approx(akiec)
    assert found["bcc"] == pytest.approx(bcc)


def test_a_class_without_images_has_no_measure_and_says_so():
    found = per_class(LABELS, PROBABILITIES)
    for code in ("bkl", "df", "mel", "nv", "vasc"):
        assert found[code].pop("support") == 0
        assert all(math.isnan(value) for value in found[code].values())


def test_specificity_is_the_sensitivity_to_the_others():
    labels, probabilities = random(300, list(range(7)), seed=4)
    predicted = probabilities.argmax(axis=1)
    for number, code in enumerate(CODES):
        others = sklearn.metrics.recall_score(labels != number, predicted != number)
        assert per_class(labels, probabilities)[code]["specificity"] == pytest.approx(others)


def test_reliability_bins_are_of_equal_mass_and_rise():
    labels, probabilities = random(310, list(range(7)), seed=5)
    confidence, accuracy, images = reliability(labels, probabilities)
    assert images.tolist() == [21] * 10 + [20] * 5
    assert (np.diff(confidence) > 0).all()
    assert np.average(confidence, weights=images) == pytest.approx(probabilities.max(axis=1).mean())
    assert np.average(accuracy, weights=images) == pytest.approx((probabilities.argmax(axis=1) == labels).mean())


def test_the_calibration_error_of_honest_probabilities_is_near_zero_and_of_bold_ones_their_excess():
    generator = np.random.default_rng(6)
    honest = generator.dirichlet(np.full(7, 0.5), 20_000)
    labels = np.array([generator.choice(7, p=row) for row in honest])
    assert calibration_error(labels, honest) < 0.015
    bold = np.eye(7)[honest.argmax(axis=1)]
    assert calibration_error(labels, bold) == pytest.approx(1 - (honest.argmax(axis=1) == labels).mean())
