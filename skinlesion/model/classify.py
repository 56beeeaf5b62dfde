"""Image files to calibrated probabilities: the one path for Python, the command line and the demo."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.model.bundle import Bundle, load
from skinlesion.model.likeness import Comparison
from skinlesion.model.predict import probabilities

RESEARCH_ONLY = "For research only, not a diagnosis. If you are worried about a skin lesion, see a doctor."
AT_ONCE = 64  # images per batch; the next batch is decoded meanwhile
DECODERS = min(os.cpu_count() or 1, 8)  # threads; a photograph of 12 megapixels takes each up to 120 MB


@dataclass(frozen=True)
class Batch:
    """Up to AT_ONCE image files in their order: those that could be read, their squares and probabilities.

    squares: uint8 (n, S, S, 3), the model's input. natural: float64 (n, 7), see `predict_natural`. unlike: bool (n,),
    whether an image looks unlike the training images. bad: the files that could not be read, and why.
    """

    files: list[Path]
    squares: np.ndarray
    natural: np.ndarray
    unlike: np.ndarray
    bad: list[images.BadImage]

    @property
    def predicted(self) -> np.ndarray:
        """(n,) the most probable class of each, as numbers of CODES."""
        return self.natural.argmax(axis=1)


@dataclass(frozen=True)
class Classifier:
    """A trained model for image files."""

    bundle: Bundle

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Raises UserError if `path` is no model of this pipeline."""
        return cls(load(path))

    def predict(self, picture: str | Path | BytesIO | np.ndarray, tta: int = 1) -> dict[str, float]:
        """The probability of each class by its code, at the model's temperature and natural class frequencies.

        They equal those of `skinlesion predict` and, where evaluate.tta is 1, the natural columns of
        data/predictions.csv; with 8 views evaluate fits the temperature again.

        Args:
            picture: an image file, or RGB uint8 (H, W, 3) of any size; it is made square as in training.
            tta: 8 averages over the eight turned and mirrored views, as evaluate.tta does.

        Raises:
            BadImage: the file cannot be decoded completely.
        """
        square, _ = read_square(self.bundle, picture)
        return dict(zip(CODES, predict_natural(self.bundle, square[None], tta)[0].tolist(), strict=True))

    def looks_unlike(self, picture: str | Path | BytesIO | np.ndarray) -> bool:
        """Whether an image looks unlike the training images, so that its probabilities mean nothing.

        True for an image that is too small or too far from the training images by model/likeness.py: at most 1% of the
        validation images are.

        Raises:
            BadImage: the file cannot be decoded completely.
        """
        return self.compare(picture).unlike

    def compare(self, picture: str | Path | BytesIO | np.ndarray) -> Comparison:
        """Compare an image with the training images. Raises BadImage."""
        return self.bundle.likeness.compare(*read_square(self.bundle, picture))


def read_square(bundle: Bundle, source: str | Path | BytesIO | np.ndarray) -> tuple[np.ndarray, int]:
    """Read an image as the model's input, RGB uint8 (S, S, 3), as the stage merge makes it. Raises BadImage.

    Returns:
        the square, and the shorter side of the whole image in px.
    """
    side = bundle.model.input_shape[1]
    if isinstance(source, np.ndarray):
        return images.fit(source, side, bundle.fit), min(source.shape[:2])
    square, shape = images.square(Path(source) if isinstance(source, str) else source, side, bundle.fit)
    return square, min(shape)


def predict_natural(bundle: Bundle, squares: np.ndarray, tta: int = 1) -> np.ndarray:
    """Predict the probabilities that users see, at the model's temperature and natural class frequencies.

    Args:
        squares: RGB 0-255 (n, S, S, 3), n at least 1.
        tta: test-time augmentation, a key of predict.VIEWS.

    Returns:
        float64 (n, 7) in the order of CODES: the natural columns of data/predictions.csv where tta and evaluate.tta
        are 1.
    """
    return bundle.calibration.corrected(probabilities(bundle.model, squares, AT_ONCE, tta=tta))


def batches(bundle: Bundle, files: Sequence[Path], tta: int = 1) -> Iterator[Batch]:
    """Predict image files in their order. At most two batches of squares are in memory.

    While the model predicts one batch, threads decode the next.
    """
    side, threads = bundle.model.input_shape[1], ThreadPoolExecutor(DECODERS)

    def decode(file: Path) -> tuple[np.ndarray, bool] | images.BadImage:
        try:
            square, shorter_side = read_square(bundle, file)
            return square, bundle.likeness.compare(square, shorter_side).unlike
        except images.BadImage as error:
            return error

    def start_decoding(first: int) -> list[tuple[Path, Future]]:
        return [(file, threads.submit(decode, file)) for file in files[first : first + AT_ONCE]]

    try:
        upcoming = start_decoding(0)
        for first in range(0, len(files), AT_ONCE):
            waiting, upcoming = upcoming, start_decoding(first + AT_ONCE)
            decoded = [(file, future.result()) for file, future in waiting]
            bad = [result for _, result in decoded if isinstance(result, images.BadImage)]
            good = [(file, result) for file, result in decoded if not isinstance(result, images.BadImage)]
            squares = np.stack([square for _, (square, _) in good]) if good else np.empty((0, side, side, 3), np.uint8)
            unlike = np.array([is_unlike for _, (_, is_unlike) in good], bool)
            predicted = predict_natural(bundle, squares, tta) if good else np.empty((0, len(CODES)))
            yield Batch([file for file, _ in good], squares, predicted, unlike, bad)
    finally:
        threads.shutdown(cancel_futures=True)
