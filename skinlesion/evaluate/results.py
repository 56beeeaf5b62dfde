"""All metrics and tables of an evaluation, from predictions.csv alone."""

import math
from dataclasses import dataclass

import pandas as pd

from skinlesion.evaluate import clinical, floors, metrics, plots, referral, subgroups
from skinlesion.evaluate.external import SPLIT
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model import predictions
from skinlesion.model.predictions import Predictions

DIGITS = 4


@dataclass(frozen=True)
class Results:
    """What evaluate writes: `figures` and `intervals` to JSON files in metrics/, `tables` to CSV files in plots/."""

    figures: dict[str, float | None]
    intervals: dict[str, dict[str, float | None]]
    tables: dict[str, pd.DataFrame]


def evaluate_test(table: pd.DataFrame, seed: int, bootstrap: int) -> Results:
    """Evaluate the test split of a predictions table with `bootstrap` draws of lesions for the intervals.

    Metrics use the raw probabilities, as published ones do, or what evaluate.decision makes of them. The tables
    `calibration` and `reliability` show all three variants. Operating points and decision curve, which are about
    decisions, use the natural probabilities.
    """
    validation, test = (predictions.select_split(table, split) for split in ("validation", "test"))
    draws = Bootstrap.draw(test.rows["group"], bootstrap, seed)
    scored = score(validation, test, draws)
    compared = floors.compare(validation, test, draws)
    only_here = {
        "roc": plots.roc(test.labels, test.headline),
        "precision_recall": plots.precision_recall(test.labels, test.headline),
        "floors": compared.table,
        "leaks": plots.leaks(test),
        "decision_curve": clinical.decision_curve(test.labels, test.probabilities["natural"]),
        "referral": referral_curves(table),
    }
    figures = scored.figures | {name: round_or_none(value) for name, value in compared.figures.items()}
    return Results(figures, scored.intervals, scored.tables | only_here)


def evaluate_external(table: pd.DataFrame, seed: int, bootstrap: int) -> Results:
    """Evaluate the external set in the same way, with the thresholds chosen on validation; without it, no rows."""
    validation, external = (predictions.select_split(table, split) for split in ("validation", SPLIT))
    if not len(external.labels):
        draws = Bootstrap.draw(validation.rows["group"], 1, seed)
        headers = {name: rows.iloc[:0] for name, rows in score(validation, validation, draws).tables.items()}
        return Results({}, {}, headers)
    return score(validation, external, Bootstrap.draw(external.rows["group"], bootstrap, seed))


def score(validation: Predictions, scored: Predictions, draws: Bootstrap) -> Results:
    """Score one set of images by itself; `draws` are of its lesions."""
    labels, headline = scored.labels, scored.headline
    predicted = headline.argmax(axis=1)
    bounds = draws.overall(labels, predicted)
    values = metrics.headline(labels, headline)
    malignant = clinical.malignant_metrics(labels, headline, draws)
    values["malignant_roc_auc"] = malignant.set_index("measure").loc["roc_auc", "value"]
    values["aurc"] = referral.aurc(scored)
    rounded = {name: tuple(map(round_or_none, pair)) for name, pair in bounds.items()}
    natural = [(part.labels, part.probabilities["natural"]) for part in (validation, scored)]
    return Results(
        figures={name: round_or_none(value) for name, value in values.items()},
        intervals={name: {"low": low, "high": high} for name, (low, high) in rounded.items()},
        tables={
            "confusion": plots.confusion(labels, headline),
            "classes": plots.classes(scored, draws),
            "malignant": malignant,
            "reliability": plots.reliability_by_variant(scored),
            "calibration": plots.calibration(scored),
            "subgroups": subgroups.evaluate_subgroups(scored, draws),
            "operating_points": clinical.operating_points(*natural, draws),
        },
    )


def referral_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate accuracy against coverage on the test split and, where there is one, on the external set."""
    parts = {line: predictions.select_split(table, line) for line in ("test", SPLIT)}
    curves = [referral.coverage_curve(line, part) for line, part in parts.items() if len(part.labels)]
    return pd.concat(curves, ignore_index=True)


def round_or_none(value: float) -> float | None:
    """Round to 4 digits; None for NaN, which JSON does not have."""
    return round(float(value), DIGITS) if math.isfinite(value) else None
