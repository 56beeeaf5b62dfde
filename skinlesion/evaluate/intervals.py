"""95% intervals by bootstrap over lesions: the images of one lesion succeed and fail together.

Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8: resample whole clusters.
A draw is kept as the number of times that each image is in it, so that all draws go through one matrix product.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

LEVEL = 0.95
Z = 1.959964  # standard normal quantile of (1 + LEVEL) / 2


@dataclass(frozen=True)
class Bootstrap:
    """Draws of lesions with replacement: weights (draws, N), how often image n is in each; groups (N,), its lesion."""

    weights: np.ndarray
    groups: np.ndarray

    @classmethod
    def over(cls, groups: pd.Series, draws: int, seed: int) -> "Bootstrap":
        """Draw as many groups as there are, `draws` times; `groups` (N,) names the group of each image."""
        numbers, names = pd.factorize(groups)
        counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
        return cls(counts[:, numbers].astype(np.float32), numbers)

    def of(self, rows: np.ndarray) -> "Bootstrap":
        """The same draws, seen by the images `rows` (mask or numbers) alone."""
        return Bootstrap(self.weights[:, rows], self.groups[rows])

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean of `values` (N,) in each draw; NaN in draws without an image."""
        return ratio(self.weights @ values.astype(np.float32), self.weights.sum(axis=1))

    def proportion(self, right: np.ndarray) -> tuple[float, float]:
        """The interval of the part of images that are right (N,) bool; NaN where there is no image.

        Where all are right, or all wrong, no draw differs: an interval without width would claim certainty. Then it is
        Wilson's score interval over the lesions (Wilson, J. Am. Stat. Assoc. 22, 1927).
        """
        low, high = interval(self.mean(right))
        return wilson(right.mean(), len(np.unique(self.groups))) if len(right) and np.isnan(low) else (low, high)

    def confusions(self, labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
        """Confusion matrices (draws, classes, classes), truth by prediction."""
        cells = np.eye(classes * classes, dtype=np.float32)[labels * classes + predicted]
        return (self.weights @ cells).reshape(-1, classes, classes)

    def roc_auc(self, positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """The area under the ROC curve in each draw: positive (N,) bool against the rest, ties count half."""
        order = np.argsort(scores, kind="stable")
        positive, (_, tied) = positive[order], np.unique(scores[order], return_inverse=True)
        weights = self.weights[:, order]
        starts = np.flatnonzero(np.diff(tied, prepend=-1))
        wins, losses = (
            np.add.reduceat(weights * side, starts, axis=1, dtype=np.float64) for side in (positive, ~positive)
        )
        below = losses.cumsum(axis=1) - losses / 2
        return ratio((wins * below).sum(axis=1), wins.sum(axis=1) * losses.sum(axis=1))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Element by element, NaN where the denominator is 0."""
    empty = np.full(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)), np.nan)
    return np.divide(numerator, denominator, out=empty, where=denominator > 0)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The middle 95% of the draws (D,), those without a value left out; NaN where none has one, or all are equal."""
    values = values[np.isfinite(values)]
    if not len(values) or np.ptp(values) < 1e-6:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def wilson(part: float, count: int) -> tuple[float, float]:
    """Wilson's 95% score interval of `part` (0 to 1) of `count` trials."""
    centre, spread = part + Z**2 / (2 * count), Z * np.sqrt(part * (1 - part) / count + Z**2 / (4 * count**2))
    low, high = (centre - spread) / (1 + Z**2 / count), (centre + spread) / (1 + Z**2 / count)
    return float(max(low, 0)), float(min(high, 1))


def by_class(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Measures by class from confusion matrices (..., C, C): name to (..., C), NaN where one is undefined.

    precision is 0 where a class with images is never predicted, and f1 likewise: scikit-learn's zero_division=0.
    """
    total = confusions.sum(axis=(-2, -1))[..., None]
    hits = np.diagonal(confusions, axis1=-2, axis2=-1)
    actual, predicted = confusions.sum(axis=-1), confusions.sum(axis=-2)
    present = actual > 0
    return {
        "sensitivity": ratio(hits, actual),
        "specificity": ratio(total - actual - predicted + hits, total - actual),
        "precision": np.where(present, np.nan_to_num(ratio(hits, predicted)), np.nan),
        "f1": np.where(present, ratio(2 * hits, actual + predicted), np.nan),
    }


def overall(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """Measures over all classes from confusion matrices (..., C, C): name to (...); absent classes have no part."""
    measures = by_class(confusions)
    present = confusions.sum(axis=-1) > 0
    hits = np.trace(confusions, axis1=-2, axis2=-1)
    return {
        "accuracy": ratio(hits, confusions.sum(axis=(-2, -1))),
        "balanced_accuracy": mean_of(measures["sensitivity"], present),
        "f1_macro": mean_of(measures["f1"], present),
    }


def mean_of(values: np.ndarray, present: np.ndarray) -> np.ndarray:
    return ratio(np.where(present, values, 0).sum(axis=-1), present.sum(axis=-1))
