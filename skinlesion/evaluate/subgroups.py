"""How well it goes for whom: by views of the lesion, sex, age, site, and how the diagnosis was made."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate.clinical import MELANOMA
from skinlesion.evaluate.intervals import Bootstrap, interval, overall
from skinlesion.model.predictions import Predictions

FEWEST = 10  # lesions, or melanomas for their sensitivity; below, a figure says more about chance than about people
AGES = {"under 30": (0, 30), "30 to 49": (30, 50), "50 to 69": (50, 70), "70 and over": (70, 200)}


def views(rows: pd.DataFrame) -> pd.Series:
    return rows["lesion_images"].gt(1).map({False: "one image", True: "several images"})


def age_bands(rows: pd.DataFrame) -> pd.Series:
    bands = pd.Series("unknown", index=rows.index)
    for name, (low, high) in AGES.items():
        bands[rows["age"].ge(low) & rows["age"].lt(high)] = name
    return bands


def column(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: rows[name].fillna("unknown")


SUBGROUPS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "views of the lesion": views,
    "sex": column("sex"),
    "age": age_bands,
    "site": column("localization"),
    "diagnosis by": column("dx_type"),
}


def table(test: Predictions, draws: Bootstrap) -> pd.DataFrame:
    """A row per subgroup and value.

    Returns:
        subgroup, value, lesions, images; balanced_accuracy (where two classes are present) and melanoma_sensitivity
        (where 10 lesions are melanomas), each with _low and _high; note says "too few" below 10 lesions, without
        figures.
    """
    found = []
    for subgroup, values_of in SUBGROUPS.items():
        values = values_of(test.rows)
        for value in sorted(values.unique(), key=place):
            rows = (values == value).to_numpy()
            lesions = test.rows.loc[rows, "group"].nunique()
            enough = lesions >= FEWEST
            figures = measured(test, rows, draws) if enough else dict.fromkeys(FIGURES, np.nan)
            row = {"subgroup": subgroup, "value": value, "lesions": lesions, "images": int(rows.sum())}
            found.append({**row, **figures, "note": "" if enough else "too few"})
    return pd.DataFrame(found)


def place(value: str) -> tuple[int, str]:
    """What sorts the values of a subgroup: bands of age by age, before all else by name."""
    bands = list(AGES)
    return (bands.index(value) if value in AGES else len(bands)), value


FIGURES = [f"{name}{end}" for name in ("balanced_accuracy", "melanoma_sensitivity") for end in ("", "_low", "_high")]


def measured(test: Predictions, rows: np.ndarray, draws: Bootstrap) -> dict[str, float]:
    """The FIGURES of the images `rows` (mask)."""
    labels, predicted = test.labels[rows], test.probabilities["raw"][rows].argmax(axis=1)
    inside = draws.of(rows)
    figures: list[float] = []
    if len(np.unique(labels)) > 1:
        everything = Bootstrap(np.ones((1, len(labels)), np.float32), np.arange(len(labels)))
        for one in (everything, inside):
            values = overall(one.confusions(labels, predicted, len(CODES)))["balanced_accuracy"]
            figures += [float(values[0])] if one is everything else interval(values)
    else:
        figures += [np.nan] * 3
    melanoma = labels == MELANOMA
    if test.rows.loc[rows, "group"][melanoma].nunique() >= FEWEST:
        found = predicted[melanoma] == MELANOMA
        figures += [found.mean(), *inside.of(melanoma).proportion(found)]
    else:
        figures += [np.nan] * 3
    return dict(zip(FIGURES, figures, strict=True))
