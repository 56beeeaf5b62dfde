"""predictions.csv: what a model said of every test image, all that evaluation needs."""

import numpy as np
import pandas as pd

from skinlesion.classes import CODES


def table(rows: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """Join the rows of the test split with their probabilities (N, 7), rounded to 6 digits."""
    written = probabilities.round(6)
    columns = pd.DataFrame(written, columns=list(CODES))
    predicted = np.array(CODES)[written.argmax(axis=1)]
    return pd.concat([rows[["image_id", "group", "dx"]].assign(predicted=predicted), columns], axis=1)


def arrays(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and probabilities (N, 7) of a predictions table; rows are made to sum to 1 again."""
    probabilities = predictions[list(CODES)].to_numpy()
    labels = predictions["dx"].map(CODES.index).to_numpy()
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)
