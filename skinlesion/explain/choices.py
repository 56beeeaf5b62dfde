"""Which images of a split a person is shown: the same ones each time, and none of a lesion that is shown already."""

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.model.predictions import Predictions

SAMPLES = 8  # of each class, at most half of them mistakes
MISTAKES = 24
EXPLAINED = 4  # of each class
MALIGNANT = {diagnosis.code for diagnosis in DIAGNOSES if diagnosis.malignant}


def judged(found: Predictions) -> pd.DataFrame:
    """A split's rows, the most confident first, with what is needed to choose among them.

    Added are `confidence`, the calibrated probability of the predicted class; `right`; `missed`, whether a malignant
    lesion was taken for a benign one. Equal confidences stand in the order of their paths.
    """
    rows = found.rows
    predicted = rows["predicted"].map(CODES.index).to_numpy()
    return rows.assign(
        confidence=found.probabilities["calibrated"][np.arange(len(rows)), predicted],
        right=rows["predicted"] == rows["dx"],
        missed=rows["dx"].isin(MALIGNANT) & ~rows["predicted"].isin(MALIGNANT),
    ).sort_values(["confidence", "path"], ascending=[False, True], ignore_index=True)


def samples(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each class, right predictions, then wrong ones, each from the most to the least confident; no lesion twice."""
    chosen = []
    for members in by_class(rows):
        wrong = spread(members[~members["right"]], SAMPLES // 2)
        right = members[members["right"] & ~members["group"].isin(wrong["group"])]
        chosen += [spread(right, SAMPLES - len(wrong)), wrong]
    return pd.concat(chosen, ignore_index=True)


def mistakes(rows: pd.DataFrame) -> pd.DataFrame:
    """The most confident mistakes, of each lesion its first."""
    return rows[~rows["right"]].drop_duplicates("group")[:MISTAKES].reset_index(drop=True)


def explained(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each class a few images, from the most to the least confident."""
    return pd.concat([spread(members, EXPLAINED) for members in by_class(rows)], ignore_index=True)


def by_class(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each class that has any, in the order of CODES."""
    members = [rows[rows["dx"] == code] for code in CODES]
    return [some for some in members if len(some)]


def spread(rows: pd.DataFrame, number: int) -> pd.DataFrame:
    """Up to `number` of the rows, one of each lesion, evenly from the first to the last."""
    lesions = rows.drop_duplicates("group")
    return lesions.iloc[np.linspace(0, len(lesions) - 1, min(number, len(lesions))).round().astype(int)]
