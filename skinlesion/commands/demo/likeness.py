"""Does an image look like the training data? A distance of simple statistics, which needs neither model nor data.

Ten numbers of an image (colours, contrast, what sets its middle apart, sharpness) are compared with those of HAM10000
by their Mahalanobis distance, per root of ten numbers: about 1 for a usual image. Source of the idea: Lee et al., A
Simple Unified Framework for Detecting Out-of-Distribution Samples (NeurIPS 2018), there on a network's features.
It tells a screenshot, a landscape, a dark or colourless picture from dermatoscopy. It does not tell a benign spot of a
kind that HAM10000 has none of: being below the limit says nothing about whether the model is right.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from skinlesion.core import images

SIDE = 64  # px: at one size, photographs and thumbnails have the same statistics
MIDDLE, EDGE = 0.5, 0.85  # radii: half of the side is 1
USUAL = 0.99  # part of HAM10000's images that lie below the limit
# Measured on every fifth image of HAM10000 at 200 x 150 px (python -m skinlesion.commands.demo.likeness FOLDER).
MEASURED = Path(__file__).with_name("likeness.json")


@dataclass(frozen=True)
class Reference:
    """What images of the training data are like: mean (10,) and covariance (10, 10) of their statistics.

    limit: the distance that USUAL of them stay below.
    """

    mean: np.ndarray
    covariance: np.ndarray
    limit: float

    def distance(self, image: np.ndarray) -> float:
        """How far an image, RGB uint8 (H, W, 3), is from them; about 1 for a usual one, at least 0."""
        away = statistics(image) - self.mean
        return float(np.sqrt(away @ np.linalg.solve(self.covariance, away) / len(away)))


def statistics(image: np.ndarray) -> np.ndarray:
    """Ten numbers of an image, RGB uint8 (H, W, 3), of its centre square in CIELAB.

    Means of L, a and b; logarithms of their deviations; middle less edge of each; logarithm of the mean detail in L.
    """
    lab = cv2.cvtColor(images.fit(image, SIDE, "crop").astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    down, right = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    radius = np.hypot(down, right)
    apart = lab[radius < MIDDLE].mean(axis=0) - lab[radius > EDGE].mean(axis=0)
    detail = np.abs(cv2.Laplacian(lab[:, :, 0], cv2.CV_32F)).mean()
    # What is added keeps the logarithm of a plain picture finite.
    return np.array([*lab.mean((0, 1)), *np.log(lab.std((0, 1)) + 0.5), *apart, np.log(detail + 0.1)], np.float64)


def measure(pictures: Iterable[np.ndarray]) -> Reference:
    """Mean and covariance of every other image, and the limit from the rest."""
    found = np.array([statistics(picture) for picture in pictures])
    fitted, rest = found[::2], found[1::2]
    usual = Reference(fitted.mean(axis=0), np.cov(fitted.T), np.inf)
    distances = np.sqrt(
        np.einsum("ni,ni->n", rest - usual.mean, np.linalg.solve(usual.covariance, (rest - usual.mean).T).T)
        / found.shape[1]
    )
    return Reference(usual.mean, usual.covariance, float(np.quantile(distances, USUAL)))


def load(path: Path = MEASURED) -> Reference:
    """Read what `main` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Reference(np.array(content["mean"]), np.array(content["covariance"]), content["limit"])


def main(folder: Path) -> None:
    """Measure every fifth picture of a folder and write MEASURED."""
    found = measure(images.read(path) for path in sorted(folder.rglob("*.jpg"))[::5])
    rows = {"mean": rounded(found.mean), "covariance": [rounded(row) for row in found.covariance]}
    lines = json.dumps({"limit": round(found.limit, 2), **rows}).replace("], [", "],\n  [")
    MEASURED.write_text(lines + "\n", encoding="utf-8")


def rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
