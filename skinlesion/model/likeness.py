"""Whether an image looks like the training images, from simple statistics: needs neither the network nor its features.

One rule: an image looks unlike the training images if its shorter side is too small, or if it is too far from them.

- Too small: below half of the model's input side, and below every training image.
- Too far: thirteen statistics of the square that the model receives (colour, contrast, centre against border, detail
  at four scales) are compared with those of the training images by Mahalanobis distance, divided by sqrt(13): about 1
  for a usual image. The limit is the 99th percentile of the validation images, so at most 1% of them are above it: the
  rule's false-alarm rate on validation.

Idea: Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples (NeurIPS 2018), there on a
network's features. The rule detects plain, tiny, dark or colourless images, text, screenshots and most photographs of
other things. It does not detect kinds of lesions that the training images lack, nor some scenes in the colours and
contrast of skin: an image that looks like the training images may still be classified wrongly.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import cv2
import numpy as np

CENTRE, BORDER = 0.5, 0.85  # radii, in units of half the side
SCALES = (8, 16, 32)  # px: sides of small copies, whose contrast between neighbours is a statistic
NUMBER = 13  # of statistics
QUANTILE = 0.99  # of the validation distances: at most 1 - QUANTILE of the validation images are above the limit
# Added to each variance. Without it, the covariance of fewer than 14 images, or of images that share a statistic (all
# grey), is singular. On HAM10000 the smallest variance in any direction is 0.0003.
RIDGE = 1e-5


@dataclass(frozen=True)
class Comparison:
    """An image against the training images: its distance, the limit of usual ones, and whether it is too small."""

    distance: float
    limit: float
    too_small: bool

    @property
    def unlike(self) -> bool:
        """Whether the image looks unlike the training images; its probabilities then mean nothing."""
        return self.too_small or self.distance > self.limit


@dataclass(frozen=True)
class Likeness:
    """The training images' statistics: mean (13,), covariance (13, 13); the limit of distances, and `smallest` in px.

    An image whose shorter side is below `smallest` is too small.

    Raises:
        ValueError: a shape is wrong, the covariance is not positive definite, or limit or smallest is below 0.
    """

    mean: np.ndarray
    covariance: np.ndarray
    limit: float
    smallest: int

    def __post_init__(self) -> None:
        if self.mean.shape != (NUMBER,) or self.covariance.shape != (NUMBER, NUMBER):
            raise ValueError(
                f"its likeness must have {NUMBER} statistics. Received: mean {self.mean.shape}, "
                f"covariance {self.covariance.shape}"
            )
        if not (np.isfinite(self.mean).all() and is_positive_definite(self.covariance)):
            raise ValueError("the covariance of its likeness is not positive definite")
        if not (0 <= self.limit < np.inf and self.smallest >= 0):
            raise ValueError(f"the limits of its likeness must be 0 or more. Received: {self.limit}, {self.smallest}")

    @cached_property
    def inverse(self) -> np.ndarray:
        return np.linalg.inv(self.covariance)

    def distances(self, statistics: np.ndarray) -> np.ndarray:
        """The distances (N,) of images from their statistics (N, 13); at least 0."""
        difference = statistics - self.mean
        squares = np.einsum("ni,ij,nj->n", difference, self.inverse, difference)
        return np.sqrt(np.maximum(squares, 0) / NUMBER)

    def compare(self, square: np.ndarray, shorter_side: int) -> Comparison:
        """Compare an image with the training images.

        Args:
            square: RGB uint8 (S, S, 3), as the model receives it.
            shorter_side: of the whole image, before it was resized, in px.
        """
        (distance,) = self.distances(compute_statistics(square)[None])
        return Comparison(float(distance), self.limit, shorter_side < self.smallest)

    def to_json(self) -> dict[str, Any]:
        return {
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "limit": self.limit,
            "smallest": self.smallest,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Likeness":
        """Read the result of `to_json`. Raises KeyError, TypeError or ValueError if `content` is something else."""
        mean, covariance = (np.array(content[name], np.float64) for name in ("mean", "covariance"))
        return cls(mean, covariance, float(content["limit"]), int(content["smallest"]))


def fit(train: np.ndarray, validation: np.ndarray, smallest: int) -> Likeness:
    """Fit mean and covariance to the statistics (N, 13) of training images, the limit to those of validation images."""
    covariance = np.cov(train, rowvar=False, bias=True) + RIDGE * np.eye(NUMBER)
    unlimited = Likeness(train.mean(axis=0), covariance, 0, smallest)
    limit = np.quantile(unlimited.distances(validation), QUANTILE, method="higher")
    # Rounded up, so that rounding on another machine does not put the image at the limit above it.
    return Likeness(unlimited.mean, covariance, math.ceil(limit * 1000) / 1000, smallest)


def compute_statistics(square: np.ndarray) -> np.ndarray:
    """Thirteen statistics of an image, RGB uint8 (S, S, 3), in CIELAB.

    Means of L, a and b; logarithms of their standard deviations; centre minus border of each; logarithms of the mean
    absolute Laplacian of L, and of the mean absolute difference of neighbours in copies of L of SCALES px.
    """
    lab = cv2.cvtColor(square.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    centre, border = regions(len(square))
    contrast = lab[centre].mean(axis=0) - lab[border].mean(axis=0)
    detail = [np.abs(cv2.Laplacian(lab[:, :, 0], cv2.CV_32F)).mean()]
    for side in SCALES:
        small = cv2.resize(lab[:, :, 0], (side, side), interpolation=cv2.INTER_AREA)
        detail.append(np.mean([np.abs(np.diff(small, axis=axis)).mean() for axis in (0, 1)]))
    # The constants keep the logarithms of a plain image finite.
    spread, detail = np.log(lab.std((0, 1)) + 0.5), np.log(np.array(detail) + 0.1)
    return np.concatenate([lab.mean((0, 1)), spread, contrast, detail]).astype(np.float64)


@cache
def regions(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The masks (side, side) of the centre and of the border of a square."""
    radius = np.hypot(*np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j])
    return radius < CENTRE, radius > BORDER


def is_positive_definite(matrix: np.ndarray) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return bool(np.isfinite(matrix).all() and np.allclose(matrix, matrix.T))
