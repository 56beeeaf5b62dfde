"""Choice of the test images on the sheets: the same images in each run, and each lesion once per sheet."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES, MALIGNANT
from skinlesion.model.predictions import Predictions

SAMPLES = 8  # of each class, at most half of them mistakes
MISTAKES = 24
EXPLAINED = 4  # of each class


def rank_predictions(predictions: Predictions) -> pd.DataFrame:
    """Rank the rows of a split by confidence, highest first; ties are in the order of their paths.

    Added columns: `confidence`, the calibrated probability of the predicted class; `right`; `missed`, a malignant
    lesion predicted to be benign.
    """
    rows = predictions.rows
    predicted = rows["predicted"].map(CODES.index).to_numpy()
    return rows.assign(
        confidence=predictions.probabilities["calibrated"][np.arange(len(rows)), predicted],
        right=rows["predicted"] == rows["dx"],
        missed=rows["dx"].isin(MALIGNANT) & ~rows["predicted"].isin(MALIGNANT),
    ).sort_values(["confidence", "path"], ascending=[False, True], ignore_index=True)


def choose_samples(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose up to 8 images per class: correct predictions, then mistakes, each from most to least confident."""
    chosen = []
    for members in split_classes(rows):
        wrong = spread_lesions(members[~members["right"]], SAMPLES // 2)
        right = members[members["right"] & ~members["group"].isin(wrong["group"])]
        chosen += [spread_lesions(right, SAMPLES - len(wrong)), wrong]
    return pd.concat(chosen, ignore_index=True)


def choose_mistakes(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose the most confident mistakes from ranked rows."""
    return rows[~rows["right"]].drop_duplicates("group")[:MISTAKES].reset_index(drop=True)


def choose_explained(rows: pd.DataFrame) -> pd.DataFrame:
    """Choose a few images of each class, evenly spread over ranked rows."""
    return pd.concat([spread_lesions(members, EXPLAINED) for members in split_classes(rows)], ignore_index=True)


def split_classes(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Split rows by true class, in the order of CODES; classes without rows are left out."""
    return [rows[rows["dx"] == code] for code in CODES if (rows["dx"] == code).any()]


def spread_lesions(rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Choose at most `number` rows at even distances, one of each lesion."""
    lesions = rows.drop_duplicates("group")
    return lesions.iloc[np.linspace(0, len(lesions) - 1, min(number, len(lesions))).round().astype(int)]
