"""The tables of the results page. A cell is a word, a number, an Estimate, a Difference, or several by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from skinlesion.commands.compare import paired
from skinlesion.commands.preset import presets
from skinlesion.commands.study.comparison import FURTHER, MEASURES, duration, published_cell
from skinlesion.commands.study.inflation import WAYS
from skinlesion.commands.study.listed import Study, Unit, list_units
from skinlesion.commands.study.plan import PROTOCOLS
from skinlesion.commands.study.recorded import Result, to_predictions
from skinlesion.evaluate import plots, referral
from skinlesion.evaluate.external import SPLIT
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.report.content import SUBGROUP_MEASURES
from skinlesion.report.table import NONE, Estimate, missing

SETS = {"test": "test", SPLIT: "ISIC 2018"}
COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)
FACTS = ("best_epoch", "temperature", "decision_exponent", "device", "processor", "commit")


@dataclass(frozen=True)
class Content:
    """All results of a study, by name; their scores by name and split; what leakage adds (inflation.measure)."""

    plan: str
    study: Study
    results: dict[str, Result]
    scores: dict[tuple[str, str], dict[str, Estimate]]
    inflation: pd.DataFrame

    @property
    def by_lesion(self) -> list[Result]:
        """The results by lesion, but for single folds."""
        results = (result for result in self.results.values() if result.unit.protocol == "lesion")
        return [result for result in results if result.unit.members or not result.unit.row.folds]

    @property
    def seeds(self) -> list[Result]:
        """The runs of the plan's first system by lesion, one per seed."""
        first = [result for result in self.by_lesion if result.unit.row.system == self.study.rows[0].system]
        return [result for result in first if not result.unit.members]

    def pick(self, *labels: str) -> Result | None:
        """The first of these pools of the plan's first system that is complete, or else its first run."""
        names = [f"{self.study.rows[0].system}-lesion-{label}" for label in labels]
        there = [*(self.results[name] for name in names if name in self.results), *self.seeds]
        return there[0] if there else None

    def list_sets(self, result: Result) -> dict[str, str]:
        """Those of SETS of which a result has images."""
        return {split: words for split, words in SETS.items() if (result.unit.name, split) in self.scores}


def pair_units(study: Study) -> dict[tuple[str, str], dict[str, Unit]]:
    """The units of each system and seed, or pool, by protocol; without single folds."""
    pairs: dict[str, dict[str, dict[str, Unit]]] = {}
    for unit in list_units(study):
        if unit.members or not unit.row.folds:
            pairs.setdefault(unit.row.system, {}).setdefault(unit.label, {})[unit.protocol] = unit
    return {(system, label): units for system, by_label in pairs.items() for label, units in by_label.items()}


def systems(content: Content) -> pd.DataFrame:
    """A row per system and seed, or pool: published, by image, by lesion, ISIC 2018, epochs, time, command."""
    rows = []
    for (system, label), units in pair_units(content.study).items():
        row = next(iter(units.values())).row
        named = [units[protocol].name for protocol in PROTOCOLS if protocol in units]
        done = [content.results[name] for name in named if name in content.results]
        cells = {
            "system": row.title,
            "runs": label,
            "published": describe_published(row.preset),
            "reproduced (image)": find_scores(content, units.get("image")),
            "honest (lesion)": find_scores(content, units.get("lesion")),
            "ISIC 2018 (lesion)": find_scores(content, units.get("lesion"), SPLIT),
            "epochs": ", ".join(sum_up(result, "epochs", str) for result in done) or NONE,
            "training time": ", ".join(sum_up(result, "train_seconds", duration) for result in done) or NONE,
            "command": f"`skinlesion study run --plan {content.plan} {system}`",
            "left out": row.omitted or NONE,
        }
        rows.append(cells)
    return pd.DataFrame(rows)


def short(content: Content) -> pd.DataFrame:
    """A row per system with `short`, of its first seed or a pool, if it has finished: balanced accuracy."""
    rows = []
    for (_, label), units in pair_units(content.study).items():
        row, measure = next(iter(units.values())).row, "balanced_accuracy"
        finished = any(unit.name in content.results for unit in units.values())
        if row.short and finished and label in (f"seed{row.seeds[0]}", "ensemble", "folds"):
            scores = [find_scores(content, units.get(protocol)) for protocol in PROTOCOLS]
            scores.append(find_scores(content, units.get("lesion"), SPLIT))
            cells = ({measure: cell[measure]} if isinstance(cell, dict) else cell for cell in scores)
            name = row.title if label.startswith("seed") else f"{row.title}, {label}"
            published = presets.load(row.preset).published.get("accuracy")
            rows.append((name, published, *cells))
    return pd.DataFrame(rows, columns=["system", "published: Accuracy", "by image", "by lesion", "ISIC 2018"])


def describe_published(preset: str) -> str:
    published = presets.load(preset).published
    values = pd.Series({f"published_{name}": published.get(name) for name in (*MEASURES, *FURTHER)})
    return published_cell(values) if published else NONE


def find_scores(content: Content, unit: Unit | None, split: str = "test") -> dict[str, Estimate] | str:
    """MEASURES of a unit; words where it is not planned, has not run, or has no such images."""
    if unit is None:
        return NONE
    if unit.name not in content.results:
        return "not run"
    scores = content.scores.get((unit.name, split))
    return {name: scores[name] for name in MEASURES} if scores else NONE


def sum_up(result: Result, key: str, write: Callable[[float], str]) -> str:
    """A fact summed over the runs of a result; a dash where a run lacks it."""
    values = [fact[key] for fact in result.facts]
    return NONE if any(map(missing, values)) else write(sum(values))


def runs(content: Content) -> pd.DataFrame:
    """A row per finished run and pool: its images, scores and facts."""
    rows = []
    for name, result in content.results.items():
        test, facts = result.select(), {} if result.unit.members else result.facts[0]
        images = {"test images": len(test), "of them leak": int(test["leaked"].sum())}
        scores = {words: content.scores.get((name, split), NONE) for split, words in SETS.items()}
        rows.append({"run": name, **images, **scores, **{key.replace("_", " "): facts.get(key) for key in FACTS}})
    return pd.DataFrame(rows, dtype=object)


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


TABLES: dict[str, Callable[[Content], pd.DataFrame]] = {
    table.__name__: table
    for table in (systems, short, runs, classes, leakage, differences, calibration, risk_coverage, subgroups, floors)
}
