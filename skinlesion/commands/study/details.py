"""The tables that look into the results. A cell is a word, a number, an Estimate, a Difference, or several by name."""

from typing import Any

import pandas as pd

from skinlesion.commands.compare import paired
from skinlesion.commands.study.content import SETS, Content
from skinlesion.commands.study.inflation import WAYS
from skinlesion.commands.study.recorded import to_predictions
from skinlesion.evaluate import plots, referral
from skinlesion.evaluate.external import SPLIT
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.report.content import SUBGROUP_MEASURES
from skinlesion.report.table import Estimate

COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)


def classes(content: Content) -> pd.DataFrame:
    """A row per class: measures of the cross-validation of the first system, or else of its ensemble or first run."""
    if (shown := content.pick("folds", "ensemble")) is None:
        return pd.DataFrame()
    rows = shown.select()
    draws = Bootstrap.draw(rows["group"], content.study.bootstrap, content.study.seed)
    by_class = plots.classes(to_predictions(rows), draws).groupby(["dx", "support"], sort=False)
    return pd.DataFrame(
        {"class": code, "images": images, **read_estimates(part, "measure")} for (code, images), part in by_class
    )


def read_estimates(table: pd.DataFrame, key: str) -> dict[str, Estimate]:
    """Read an Estimate from the value, low and high of each row, by the column `key`."""
    return {row[key]: Estimate(row["value"], row["low"], row["high"]) for row in table.to_dict("records")}


def calibration(content: Content) -> pd.DataFrame:
    """A row per run and set: log loss, Brier score and calibration error, raw and calibrated."""
    rows = []
    for result in content.results.values():
        for name, words in (
            {"calibration": "test", "external_calibration": SETS[SPLIT]}.items() if result.tables else ()
        ):
            table = result.tables[name].set_index("variant")
            if len(table):
                both = table.loc[["raw", "calibrated"]].rename(columns=lambda measure: measure.replace("_", " "))
                facts = {"run": result.unit.name, "set": words, "temperature": result.facts[0]["temperature"]}
                rows.append(facts | both.to_dict())
    return pd.DataFrame(rows)


def risk_coverage(content: Content) -> pd.DataFrame:
    """A row per result by lesion and set: AURC, and accuracy on the most certain images."""
    rows = []
    for result in content.by_lesion:
        for split, words in SETS.items():
            part = to_predictions(result.select(split))
            if images := len(part.labels):
                accuracy = referral.accuracies(part)
                kept = {f"accuracy at {share:.0%}": accuracy[max(1, round(share * images)) - 1] for share in COVERAGES}
                rows.append({"result": result.unit.name, "set": words, "AURC": referral.aurc(part), **kept})
    return pd.DataFrame(rows)


def subgroups(content: Content) -> pd.DataFrame:
    """A row per subgroup of the test images: balanced accuracy and melanoma sensitivity of each seed."""
    keys = ["subgroup", "value", "lesions", "images"]

    def read(row: dict) -> dict[str, Estimate]:
        return {name: Estimate(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in SUBGROUP_MEASURES}

    tables = {result.unit.label: result.tables["subgroups"] for result in content.seeds}
    cells = {
        label: pd.Series([read(row) for row in table.to_dict("records")], pd.MultiIndex.from_frame(table[keys]))
        for label, table in tables.items()
    }
    return pd.DataFrame(cells).reset_index() if cells else pd.DataFrame()


def floors(content: Content) -> pd.DataFrame:
    """A row per model: scores without images and with, of each seed."""
    tables = {result.unit.label: result.tables["floors"] for result in content.seeds}
    cells = {
        label: pd.Series({model: read_estimates(part, "measure") for model, part in table.groupby("model", sort=False)})
        for label, table in tables.items()
    }
    return pd.DataFrame(cells).reset_index(names="model") if cells else pd.DataFrame()


def differences(content: Content) -> pd.DataFrame:
    """A row per result by lesion and set: its differences from the first run, on the images that both have."""
    rows = []
    for first in content.seeds[:1]:
        for other in content.by_lesion:
            for split, words in SETS.items():
                sides = [result.select(split) for result in (first, other)]
                common = {*sides[0]["path"]} & {*sides[1]["path"]}
                if other is first or not common:
                    continue
                parts = [to_predictions(side[side["path"].isin(common)].reset_index(drop=True)) for side in sides]
                compared = paired.compare(*parts, content.study.bootstrap, content.study.seed)
                named = {paired.MEASURES[name]: value for name, value in compared.differences.items()}
                images = {"images": compared.images, "lesions": compared.lesions}
                rows.append(
                    {"result": other.unit.name, "set": words, **images, **named, "p (McNemar)": f"{compared.p:.2g}"}
                )
    return pd.DataFrame(rows)


def leakage(content: Content) -> pd.DataFrame:
    """A row per recipe, and their mean: the difference in each way, and the images of its two sides."""
    rows: dict[str, dict[str, Any]] = {}
    for recipe, way, images, difference in content.inflation.itertuples(index=False):
        cell = {"difference": difference} | ({"images": images} if images else {})
        rows.setdefault(recipe, {"recipe": recipe})[way] = cell
    measured = (way for way in WAYS if any(way in row for row in rows.values()))
    return pd.DataFrame(rows.values(), columns=["recipe", *measured])
