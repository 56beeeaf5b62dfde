"""References for models of tests: what their training images are said to look like."""

import numpy as np

from skinlesion.core import images
from skinlesion.drawing.cohorts import COHORTS
from skinlesion.drawing.image import draw_image
from skinlesion.model import likeness

ALL_USUAL = likeness.Likeness(np.zeros(likeness.NUMBER), np.eye(likeness.NUMBER), 1e6, 0)  # no image looks unlike it


def draw_squares(side: int, lesions: range) -> list[np.ndarray]:
    """Drawings of the sample, of each class so many lesions: RGB uint8 (side, side, 3)."""
    drawn = [draw_image(cohort.appearance, 3, lesion, 0) for cohort in COHORTS for lesion in lesions]
    return [images.fit(image, side, "crop") for image in drawn]


def fit_drawn(side: int) -> likeness.Likeness:
    """A reference fitted to drawings of the sample."""
    measured = [
        np.stack([likeness.compute_statistics(square) for square in draw_squares(side, lesions)])
        for lesions in (range(12), range(12, 20))
    ]
    return likeness.fit(*measured, smallest=side // 2)
