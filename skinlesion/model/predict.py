"""Images to probabilities: the one path for validation, evaluation, the command line and the demo."""

import numpy as np
from tqdm import tqdm

from skinlesion.core import arrays
from skinlesion.model.backend import keras

# number of views per image -> (quarter turns, mirrored) of each view; their probabilities are averaged
VIEWS = {
    1: [(0, False)],
    8: [(turns, mirrored) for mirrored in (False, True) for turns in range(4)],
}


def probabilities(
    model: keras.Model, images: np.ndarray, batch_size: int, doing: str | None = None, tta: int = 1
) -> np.ndarray:
    """Predict RGB 0-255 images (N, S, S, 3), giving float64 (N, 7) in the order of CODES; each row sums to 1.

    Args:
        doing: the label of the progress bar; None shows no bar.
        tta: test-time augmentation, a key of VIEWS; 8 averages over the quarter turns, mirrored and not.
    """
    starts = tqdm(range(0, len(images), batch_size), doing, unit="batch", disable=None if doing else True)
    predicted = []
    for start in starts:
        batch = images[start : start + batch_size]
        views = [model.predict_on_batch(turn(batch, *view)) for view in VIEWS[tta]]
        predicted.append(np.mean(views, axis=0, dtype=np.float64))
        arrays.release(batch)
    joined = np.concatenate(predicted)
    return joined / joined.sum(axis=1, keepdims=True)


def turn(images: np.ndarray, turns: int, mirrored: bool) -> np.ndarray:
    """Turn images (N, S, S, 3) by quarters, then mirror them left to right."""
    if not (turns or mirrored):
        return images
    turned = np.rot90(images, turns, axes=(1, 2))
    return np.ascontiguousarray(turned[:, :, ::-1] if mirrored else turned)
