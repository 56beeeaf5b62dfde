"""All figures and tables of an evaluation, from predictions.csv alone."""

import math
from dataclasses import dataclass

import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import clinical, metrics, plots, subgroups
from skinlesion.evaluate.intervals import Bootstrap, interval, overall
from skinlesion.model import predictions

DIGITS = 4


@dataclass(frozen=True)
class Results:
    """figures: metrics/test.json; intervals: metrics/intervals.json; tables: plots/evaluate/NAME.csv."""

    figures: dict[str, float | None]
    intervals: dict[str, dict[str, float]]
    tables: dict[str, pd.DataFrame]


def of(table: pd.DataFrame, seed: int, bootstrap: int) -> Results:
    """Evaluate a predictions table; `seed` and `bootstrap` make the draws of lesions behind the intervals.

    Figures are of the raw probabilities, as published ones are; `calibration` and `reliability` show all three
    variants, and what is to be acted upon, the operating points and the decision curve, takes the natural ones.
    """
    validation, test = (predictions.of(table, split) for split in ("validation", "test"))
    labels, raw, natural = test.labels, test.probabilities["raw"], test.probabilities["natural"]
    draws = Bootstrap.over(test.rows["group"], bootstrap, seed)
    predicted = raw.argmax(axis=1)
    drawn = overall(draws.confusions(labels, predicted, len(CODES)))
    bounds = {name: interval(values) for name, values in drawn.items()} | {
        "accuracy": draws.proportion(predicted == labels)
    }
    figures = {
        **metrics.headline(labels, raw),
        "malignant_roc_auc": clinical.against_benign(labels, raw)["malignant_roc_auc"],
    }
    return Results(
        figures={name: rounded(value) for name, value in figures.items()},
        intervals={name: {"low": rounded(low), "high": rounded(high)} for name, (low, high) in bounds.items()},
        tables={
            "confusion": plots.confusion(labels, raw),
            "roc": plots.roc(labels, raw),
            "precision_recall": plots.precision_recall(labels, raw),
            "classes": plots.classes(test, draws),
            "malignant": plots.malignant(test, draws),
            "reliability": plots.reliability_by_variant(test),
            "calibration": plots.calibration(test),
            "leaks": plots.leaks(test),
            "subgroups": subgroups.table(test, draws),
            "operating_points": clinical.operating_points(
                (validation.labels, validation.probabilities["natural"]), (labels, natural), draws
            ),
            "decision_curve": clinical.decision_curve(labels, natural),
        },
    )


def rounded(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return round(float(value), DIGITS) if math.isfinite(value) else None
