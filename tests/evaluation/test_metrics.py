"""The figures of metrics/test.json, by hand and by scikit-learn."""

import math

import numpy as np
import pytest
import sklearn.metrics

from skinlesion.classes import CODES
from skinlesion.evaluation.metrics import headline, per_class

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


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
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
        "recall_macro": pytest.approx((1 / 2 + 2 / 3) / 2),
        "f1_macro": pytest.approx((f1["akiec"] + f1["bcc"]) / 2),
        "f1_weighted": pytest.approx((2 * f1["akiec"] + 3 * f1["bcc"]) / 5),
        "roc_auc_macro": pytest.approx((area["akiec"] + area["bcc"]) / 2),
        "log_loss": pytest.approx(-sum(map(math.log, [0.7, 0.15, 0.8, 0.9, 0.4])) / 5),
    }


def test_headline_is_scikit_learns_where_every_class_has_images():
    labels, probabilities = random(200, list(range(7)), seed=1)
    assert len(set(labels)) == 7
    predicted, found = probabilities.argmax(axis=1), headline(labels, probabilities)
    assert found == {
        "accuracy": pytest.approx(sklearn.metrics.accuracy_score(labels, predicted)),
        "balanced_accuracy": pytest.approx(sklearn.metrics.recall_score(labels, predicted, average="macro")),
        "precision_macro": pytest.approx(sklearn.metrics.precision_score(labels, predicted, average="macro")),
        "recall_macro": pytest.approx(sklearn.metrics.recall_score(labels, predicted, average="macro")),
        "f1_macro": pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="macro")),
        "f1_weighted": pytest.approx(sklearn.metrics.f1_score(labels, predicted, average="weighted")),
        "roc_auc_macro": pytest.approx(sklearn.metrics.roc_auc_score(labels, probabilities, multi_class="ovr")),
        "log_loss": pytest.approx(-np.log(probabilities[np.arange(200), labels]).mean()),
    }
    assert len({round(value, 6) for value in found.values()}) == 7, "all but balanced accuracy and recall differ"


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("classes", [[0, 1], [2, 5, 6], [0, 1, 2, 3, 4, 5]])
def test_a_class_without_images_is_neither_no_number_nor_a_zero(classes):
    """The macro figures are the means over the classes that are there."""
    labels, probabilities = random(80, classes, seed=2)
    found, by_class = headline(labels, probabilities), per_class(labels, probabilities)
    assert set(probabilities.argmax(axis=1)) - set(classes), "a class without images is predicted"
    for name in ("precision", "recall", "f1"):
        mean = np.mean([by_class[CODES[label]][name] for label in classes])
        assert found[f"{name}_macro"] == pytest.approx(mean)
    assert found["balanced_accuracy"] == pytest.approx(found["recall_macro"])
    assert all(math.isfinite(value) for value in found.values())


def test_perfect_and_useless_predictions():
    labels = np.arange(14) % 7
    perfect = headline(labels, np.eye(7)[labels])
    assert perfect.pop("log_loss") == pytest.approx(0, abs=1e-9)
    assert set(perfect.values()) == {1.0}
    useless = headline(labels, np.full((14, 7), 1 / 7))
    assert useless["balanced_accuracy"] == pytest.approx(1 / 7)
    assert useless["roc_auc_macro"] == pytest.approx(1 / 2)
    assert useless["log_loss"] == pytest.approx(math.log(7))


def test_figures_do_not_hang_on_the_order_of_the_images():
    labels, probabilities = random(60, list(range(7)), seed=3)
    order = np.random.default_rng(0).permutation(60)
    assert headline(labels, probabilities) == pytest.approx(headline(labels[order], probabilities[order]))


def test_per_class_by_hand():
    found = per_class(LABELS, PROBABILITIES)
    assert tuple(found) == CODES
    assert found["akiec"] == pytest.approx({"precision": 1, "recall": 1 / 2, "f1": 2 / 3, "support": 2})
    assert found["bcc"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    for code in ("bkl", "df", "mel", "nv", "vasc"):
        assert found[code] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
