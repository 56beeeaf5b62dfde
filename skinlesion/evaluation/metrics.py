"""Test metrics: pure functions of labels and probabilities."""

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)

from skinlesion.classes import CODES


def headline(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The figures of metrics/test.json.

    Macro averages are over the classes that `labels` holds: a class without images has no sensitivity.

    Args:
        labels: (N,) numbers of CODES.
        probabilities: (N, 7), rows sum to 1.
    """
    predicted = probabilities.argmax(axis=1)
    present = np.unique(labels)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=present, average="macro", zero_division=0
    )
    return {
        "accuracy": accuracy_score(labels, predicted),
        "balanced_accuracy": balanced_accuracy_score(labels, predicted),
        "precision_macro": precision,
        "recall_macro": recall,
        "f1_macro": f1,
        "f1_weighted": f1_score(labels, predicted, labels=present, average="weighted", zero_division=0),
        "roc_auc_macro": np.mean([roc_auc_score(labels == label, probabilities[:, label]) for label in present]),
        "log_loss": log_loss(labels, probabilities, labels=range(len(CODES))),
    }


def per_class(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of every class; zeros where a class has no images."""
    values = precision_recall_fscore_support(
        labels, probabilities.argmax(axis=1), labels=range(len(CODES)), zero_division=0
    )
    names = ("precision", "recall", "f1", "support")
    return {
        code: {name: float(value[index]) for name, value in zip(names, values, strict=True)}
        for index, code in enumerate(CODES)
    }
