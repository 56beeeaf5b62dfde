"""95% confidence intervals by a bootstrap over lesions, because images of one lesion are not independent.

Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8: resample whole clusters.
With fewer than five lesions of a class, intervals of averages over classes are too narrow; without the draws that lack
the class they would be narrower still.
A draw is stored as the number of times that it contains each image, so one matrix product evaluates all draws.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.metrics import overall_metrics, ratio

LEVEL = 0.95


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

    def proportion(self, right: np.ndarray, among: np.ndarray) -> tuple[float, float, float]:
        """Compute the share of right (N,) bool among some images (N,) bool, and its interval; NaN without images.

        If all draws are equal, as where all or none are right or all are of one lesion, an interval of width 0 would
        claim certainty. Wilson's score interval over the lesions replaces it.
        """
        if not among.any():
            return np.nan, np.nan, np.nan
        draws, right = self.select(among), right[among]
        low, high = interval(draws.mean(right))
        if np.isnan(low):
            low, high = wilson(right.mean(), len(np.unique(draws.groups)))
        return right.mean(), low, high

    def confusions(self, labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
        """Count confusion matrices (draws, classes, classes), true class by predicted class."""
        cells = np.eye(classes * classes, dtype=np.float32)[labels * classes + predicted]
        return (self.weights @ cells).reshape(-1, classes, classes)

    def overall(self, labels: np.ndarray, predicted: np.ndarray) -> dict[str, tuple[float, float]]:
        """Compute the intervals of overall_metrics of class numbers (N,)."""
        drawn = overall_metrics(self.confusions(labels, predicted, len(CODES)))
        right = self.proportion(predicted == labels, among=np.ones(len(labels), bool))
        return {name: interval(values) for name, values in drawn.items()} | {"accuracy": right[1:]}

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


def wilson(share: float, lesions: int) -> tuple[float, float]:
    """Compute the score interval of a share of lesions (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    z = norm.ppf((1 + LEVEL) / 2)
    centre, scale = share + z**2 / (2 * lesions), 1 + z**2 / lesions
    half = z * np.sqrt(share * (1 - share) / lesions + (z / (2 * lesions)) ** 2)
    low, high = (centre - half) / scale, (centre + half) / scale
    return (0.0 if share == 0 else low), (1.0 if share == 1 else high)  # exactly, without rounding


def name_unit(rows: pd.DataFrame) -> str:
    """Name what the draws are of: `lesion`, or `image` where no row of a predictions table has a known lesion."""
    return "image" if rows["group"].equals(rows["image_id"]) else "lesion"
