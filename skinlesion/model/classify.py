"""Pictures as people have them to calibrated probabilities: the one path for Python, the command line and the demo."""

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
from skinlesion.model.predict import probabilities

RESEARCH_ONLY = "For research only, not a diagnosis. If you are worried about a skin lesion, see a doctor."
AT_ONCE = 64  # images predicted in one go, and images decoded ahead meanwhile
DECODERS = min(os.cpu_count() or 1, 8)  # threads; a photograph of 12 megapixels takes each up to 120 MB


@dataclass(frozen=True)
class Batch:
    """Up to AT_ONCE images in their order: the files that could be read, their squares and probabilities.

    squares: uint8 (n, S, S, 3) as the model saw them. natural: float64 (n, 7), see `natural`. bad: what could not be
    read, and why.
    """

    files: list[Path]
    squares: np.ndarray
    natural: np.ndarray
    bad: list[images.BadImage]

    @property
    def predicted(self) -> np.ndarray:
        """(n,) the most probable class of each, as numbers of CODES."""
        return self.natural.argmax(axis=1)


@dataclass(frozen=True)
class Classifier:
    """A trained model, ready for pictures."""

    bundle: Bundle

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Raises UserError where `path` is no model of this pipeline."""
        return cls(load(path))

    def predict(self, picture: str | Path | BytesIO | np.ndarray, tta: int = 1) -> dict[str, float]:
        """The probability of each class by its code, at the model's temperature and natural class frequencies.

        They are those of `skinlesion predict` and of data/predictions.csv's natural columns.

        Args:
            picture: a picture file, or RGB uint8 (H, W, 3). Any size: it is made a square as in training.
            tta: 8 averages over the eight turned and mirrored views, as evaluate.tta does.

        Raises:
            BadImage: the file cannot be decoded whole.
        """
        if isinstance(picture, np.ndarray):
            seen = images.fit(picture, self.bundle.model.input_shape[1], self.bundle.fit)
        else:
            seen = square(self.bundle, Path(picture) if isinstance(picture, str) else picture)
        return dict(zip(CODES, natural(self.bundle, seen[None], tta)[0].tolist(), strict=True))


def square(bundle: Bundle, source: Path | BytesIO) -> np.ndarray:
    """A picture file as the model was trained to see it: RGB uint8 (S, S, 3), made of it as the stage merge does.

    Raises:
        BadImage: see images.read.
    """
    return images.square(source, bundle.model.input_shape[1], bundle.fit)[0]


def natural(bundle: Bundle, squares: np.ndarray, tta: int = 1) -> np.ndarray:
    """What people are shown: probabilities at the model's temperature and natural class frequencies.

    They are those of data/predictions.csv's natural columns, where tta is evaluate.tta.

    Args:
        squares: RGB 0-255 (n, S, S, 3), n at least 1.
        tta: test-time augmentation, a key of predict.VIEWS.

    Returns:
        float64 (n, 7) in the order of CODES.
    """
    return bundle.calibration.corrected(probabilities(bundle.model, squares, AT_ONCE, tta=tta))


def batches(bundle: Bundle, files: Sequence[Path], tta: int = 1) -> Iterator[Batch]:
    """Predict picture files in their order; at no time are more than two batches of squares in memory.

    While the model predicts one batch, threads decode the next.
    """
    side = bundle.model.input_shape[1]
    for group, decoded in ahead(bundle, [files[at : at + AT_ONCE] for at in range(0, len(files), AT_ONCE)]):
        bad = [one for one in decoded if isinstance(one, images.BadImage)]
        good = [one for one in decoded if not isinstance(one, images.BadImage)]
        squares = np.stack(good) if good else np.empty((0, side, side, 3), np.uint8)
        shown = natural(bundle, squares, tta) if good else np.empty((0, len(CODES)))
        whole = [file for file, one in zip(group, decoded, strict=True) if not isinstance(one, images.BadImage)]
        yield Batch(whole, squares, shown, bad)


Decoded = np.ndarray | images.BadImage


def ahead(bundle: Bundle, groups: Sequence[Sequence[Path]]) -> Iterator[tuple[Sequence[Path], list[Decoded]]]:
    """Each group of files with its squares, the next group being decoded on threads meanwhile."""

    def decode(file: Path) -> Decoded:
        try:
            return square(bundle, file)
        except images.BadImage as bad:
            return bad

    threads = ThreadPoolExecutor(DECODERS)
    try:
        waiting: tuple[Sequence[Path], list[Future[Decoded]]] | None = None
        for group in [*groups, []]:
            started = group, [threads.submit(decode, file) for file in group]
            if waiting:
                yield waiting[0], [future.result() for future in waiting[1]]
            waiting = started
    finally:
        threads.shutdown(cancel_futures=True)
