"""Metrics by subgroup: number of views of the lesion, sex, age, site, and how the diagnosis was made."""

import numpy as np
import pandas as pd

from skinlesion.core.tables import name_age_bands
from skinlesion.evaluate.clinical import MELANOMA
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.evaluate.metrics import count_confusions, overall_metrics
from skinlesion.model.predictions import Predictions

FEWEST = 10  # lesions of a subgroup, or its melanomas for their sensitivity; with fewer, chance dominates
AGES = (0, 30, 50, 70)  # years, lower limits of the bands
METRICS = [f"{name}{end}" for name in ("balanced_accuracy", "melanoma_sensitivity") for end in ("", "_low", "_high")]


def assign_values(rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Give the value of each image in each subgroup; blank cells become `unknown`."""
    return {
        "views of the lesion": rows["lesion_images"].gt(1).map({False: "one image", True: "several images"}),
        "sex": rows["sex"].fillna("unknown"),
        "age": name_age_bands(rows["age"], AGES),
        "site": rows["localization"].fillna("unknown"),
        "diagnosis by": rows["dx_type"].fillna("unknown"),
    }


def evaluate_subgroups(test: Predictions, draws: Bootstrap) -> pd.DataFrame:
    """Evaluate each value of each subgroup.

    Returns:
        Columns subgroup, value, lesions, images, METRICS and note. Balanced accuracy needs two classes, melanoma
        sensitivity needs 10 melanomas. With fewer than 10 lesions there are no metrics, and note is "too few".
    """
    table = []
    for subgroup, values in assign_values(test.rows).items():
        for value in sorted(values.unique()):
            members = (values == value).to_numpy()
            lesions = test.rows.loc[members, "group"].nunique()
            enough = lesions >= FEWEST
            row = {"subgroup": subgroup, "value": value, "lesions": lesions, "images": int(members.sum())}
            metrics = subgroup_metrics(test, members, draws) if enough else dict.fromkeys(METRICS, np.nan)
            table.append({**row, **metrics, "note": "" if enough else "too few"})
    return pd.DataFrame(table)


def subgroup_metrics(test: Predictions, members: np.ndarray, draws: Bootstrap) -> dict[str, float]:
    """Compute METRICS of the images `members` (mask)."""
    labels, predicted = test.labels[members], test.headline[members].argmax(axis=1)
    draws = draws.select(members)

    balanced = sensitivity = (np.nan, np.nan, np.nan)
    if len(np.unique(labels)) > 1:
        value = overall_metrics(count_confusions(labels, predicted))["balanced_accuracy"]
        balanced = (float(value), *draws.overall(labels, predicted)["balanced_accuracy"])
    melanoma = labels == MELANOMA
    if len(np.unique(draws.groups[melanoma])) >= FEWEST:
        sensitivity = draws.proportion(predicted == MELANOMA, melanoma)
    return dict(zip(METRICS, (*balanced, *sensitivity), strict=True))
