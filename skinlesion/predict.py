"""Images to probabilities: the one path for validation, evaluation, the command line and the demo."""

import keras
import numpy as np
from tqdm import tqdm


def probabilities(model: keras.Model, images: np.ndarray, batch_size: int, doing: str | None = None) -> np.ndarray:
    """Predict RGB 0-255 images (N, H, W, 3), giving float64 (N, 7) in the order of CODES; each row sums to 1.

    Args:
        doing: what the progress bar says; None shows none.
    """
    starts = tqdm(range(0, len(images), batch_size), doing, unit="batch", disable=None if doing else True)
    predicted = [model.predict_on_batch(images[start : start + batch_size]) for start in starts]
    joined = np.concatenate(predicted).astype(np.float64)
    return joined / joined.sum(axis=1, keepdims=True)
