"""All metrics and tables of an evaluation, from predictions.csv alone."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import clinical, floors, metrics, plots, subgroups
from skinlesion.evaluate.intervals import Bootstrap, interval
from skinlesion.model import predictions

DIGITS = 4


@dataclass(frozen=True)
class Results:
    """What evaluate writes: `figures` and `intervals` to JSON files in metrics/, `tables` to CSV files in plots/."""

    figures: dict[str, float | None]
    intervals: dict[str, dict[str, float | None]]
    tables: dict[str, pd.DataFrame]


def evaluate_table(table: pd.DataFrame, seed: int, bootstrap: int) -> Results:
    """Evaluate a predictions table with `bootstrap` draws of lesions for the intervals.

    Metrics use the raw probabilities, as published ones do, or what evaluate.decision makes of them. The tables
    `calibration` and `reliability` show all three variants. Operating points and decision curve, which are about
    decisions, use the natural probabilities.
    """
    validation, test = (predictions.select_split(table, split) for split in ("validation", "test"))
    labels, headline, natural = test.labels, test.headline, test.probabilities["natural"]
    draws = Bootstrap.draw(test.rows["group"], bootstrap, seed)
    predicted = headline.argmax(axis=1)
    drawn = metrics.overall_metrics(draws.confusions(labels, predicted, len(CODES)))
    bounds = {name: interval(values) for name, values in drawn.items()}
    bounds["accuracy"] = draws.proportion(predicted == labels, among=np.ones(len(labels), bool))[1:]
    values = metrics.headline(labels, headline)
    malignant = clinical.malignant_metrics(labels, headline, draws)
    values["malignant_roc_auc"] = malignant.set_index("measure").loc["roc_auc", "value"]
    compared = floors.compare(validation, test, draws)
    values |= compared.figures
    rounded = {name: tuple(map(round_or_none, pair)) for name, pair in bounds.items()}
    return Results(
        figures={name: round_or_none(value) for name, value in values.items()},
        intervals={name: {"low": low, "high": high} for name, (low, high) in rounded.items()},
        tables={
            "confusion": plots.confusion(labels, headline),
            "roc": plots.roc(labels, headline),
            "precision_recall": plots.precision_recall(labels, headline),
            "classes": plots.classes(test, draws),
            "malignant": malignant,
            "floors": compared.table,
            "reliability": plots.reliability_by_variant(test),
            "calibration": plots.calibration(test),
            "leaks": plots.leaks(test),
            "subgroups": subgroups.evaluate_subgroups(test, draws),
            "operating_points": clinical.operating_points(
                (validation.labels, validation.probabilities["natural"]), (labels, natural), draws
            ),
            "decision_curve": clinical.decision_curve(labels, natural),
        },
    )


def round_or_none(value: float) -> float | None:
    """Round to 4 digits; None for NaN, which JSON does not have."""
    return round(float(value), DIGITS) if math.isfinite(value) else None
