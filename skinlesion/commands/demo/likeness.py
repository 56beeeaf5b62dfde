"""The distance of an image from the training data, from simple statistics: needs neither the model nor the data.

Ten statistics of an image (colour, contrast, centre against border, sharpness) are compared with those of HAM10000 by
Mahalanobis distance, divided by sqrt(10): about 1 for a usual image. Idea: Lee et al., A Simple Unified Framework for
Detecting Out-of-Distribution Samples (NeurIPS 2018), there on a network's features. It detects screenshots, landscapes,
dark or colourless images, but not kinds of lesions that HAM10000 lacks: a small distance does not mean that the model
is right.

likeness.json was measured on HAM10000 at 200 x 150 px: mean and covariance over images 0, 10, 20, ... by name, and as
limit the 99th percentile of the distances of images 5, 15, 25, ...
"""

import json
from pathlib import Path

import cv2
import numpy as np

from skinlesion.core import images

SIDE = 64  # px; one size, so that photographs and thumbnails have the same statistics
CENTRE, BORDER = 0.5, 0.85  # radii, in units of half the side


REFERENCE = json.loads(Path(__file__).with_name("likeness.json").read_text(encoding="utf-8"))
MEAN, COVARIANCE = np.array(REFERENCE["mean"]), np.array(REFERENCE["covariance"])  # (10,) and (10, 10)
LIMIT = REFERENCE["limit"]


def measure_distance(image: np.ndarray, mean: np.ndarray = MEAN, covariance: np.ndarray = COVARIANCE) -> float:
    """The distance of an image, RGB uint8 (H, W, 3); at least 0."""
    difference = compute_statistics(image) - mean
    return float(np.sqrt(difference @ np.linalg.solve(covariance, difference) / len(difference)))


def compute_statistics(image: np.ndarray) -> np.ndarray:
    """Ten statistics of the centre square of an image, RGB uint8 (H, W, 3), in CIELAB.

    Means of L, a and b; logarithms of their standard deviations; centre minus border of each; logarithm of the mean
    absolute Laplacian of L.
    """
    lab = cv2.cvtColor(images.fit(image, SIDE, "crop").astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    radius = np.hypot(*np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
    contrast = lab[radius < CENTRE].mean(axis=0) - lab[radius > BORDER].mean(axis=0)
    detail = np.abs(cv2.Laplacian(lab[:, :, 0], cv2.CV_32F)).mean()
    # The constants keep the logarithms of a plain image finite.
    return np.array([*lab.mean((0, 1)), *np.log(lab.std((0, 1)) + 0.5), *contrast, np.log(detail + 0.1)], np.float64)
