"""95% confidence intervals by a bootstrap over lesions, because images of one lesion are not independent.

Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8: resample whole clusters.
A draw is stored as the number of times that it contains each image, so one matrix product evaluates all draws.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlesion.evaluate.metrics import ratio

LEVEL = 0.95
Z = 1.959964  # standard normal quantile of (1 + LEVEL) / 2


@dataclass(frozen=True)
class Bootstrap:
    """Draws of lesions with replacement: weights (draws, N), how often each contains image n; groups (N,), lesions."""

    weights: np.ndarray
    groups: np.ndarray

    @classmethod
    def draw(cls, groups: pd.Series, draws: int, seed: int) -> "Bootstrap":
        """Draw as many lesions as there are, `draws` times; `groups` (N,) names the lesion of each image."""
        numbers, names = pd.factorize(groups)
        counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), draws)
        return cls(counts[:, numbers].astype(np.float32), numbers)

    def select(self, rows: np.ndarray) -> "Bootstrap":
        """Restrict the same draws to the images `rows` (mask or numbers)."""
        return Bootstrap(self.weights[:, rows], self.groups[rows])

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Compute the mean of `values` (N,) in each draw; NaN in draws without an image."""
        return ratio(self.weights @ values.astype(np.float32), self.weights.sum(axis=1))

    def proportion_interval(self, right: np.ndarray) -> tuple[float, float]:
        """Compute the interval of the share of images that are right (N,) bool; NaN without images.

        If all or none are right, all draws are equal, and an interval of width 0 would claim certainty. Wilson's score
        interval over the lesions replaces it (Wilson, J. Am. Stat. Assoc. 22, 1927).
        """
        low, high = interval(self.mean(right))
        return wilson(right.mean(), len(np.unique(self.groups))) if len(right) and np.isnan(low) else (low, high)

    def confusions(self, labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
        """Count confusion matrices (draws, classes, classes), true class by predicted class."""
        cells = np.eye(classes * classes, dtype=np.float32)[labels * classes + predicted]
        return (self.weights @ cells).reshape(-1, classes, classes)

    def roc_auc(self, positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Compute ROC-AUC of positive (N,) bool against the rest in each draw; ties count half."""
        order = np.argsort(scores, kind="stable")
        positive, (_, tied) = positive[order], np.unique(scores[order], return_inverse=True)
        weights = self.weights[:, order]
        starts = np.flatnonzero(np.diff(tied, prepend=-1))
        wins, losses = (
            np.add.reduceat(weights * side, starts, axis=1, dtype=np.float64) for side in (positive, ~positive)
        )
        below = losses.cumsum(axis=1) - losses / 2
        return ratio((wins * below).sum(axis=1), wins.sum(axis=1) * losses.sum(axis=1))


def interval(values: np.ndarray) -> tuple[float, float]:
    """Compute the middle 95% of the draws (D,) without NaN; NaN if none is left or all are equal."""
    values = values[np.isfinite(values)]
    if not len(values) or np.ptp(values) < 1e-6:
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Compute Wilson's 95% score interval of a share (0 to 1) of `count` trials."""
    centre, spread = share + Z**2 / (2 * count), Z * np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    low, high = (centre - spread) / (1 + Z**2 / count), (centre + spread) / (1 + Z**2 / count)
    return float(max(low, 0)), float(min(high, 1))
