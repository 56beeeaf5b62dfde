"""The tables of all systems and runs. A cell is a word, a number, an Estimate, or several by name."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from skinlesion.commands.preset import presets
from skinlesion.commands.study.comparison import FURTHER, MEASURES, duration, published_cell
from skinlesion.commands.study.content import SETS, Content
from skinlesion.commands.study.listed import Study, Unit, list_units
from skinlesion.commands.study.plan import PROTOCOLS
from skinlesion.commands.study.recorded import Result, to_predictions
from skinlesion.evaluate import metrics
from skinlesion.evaluate.external import SPLIT
from skinlesion.report.table import NONE, Estimate, missing

FACTS = ("best_epoch", "temperature", "decision_exponent", "device", "processor", "commit")


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
    """A row per finished run and pool: its images, scores, with and without the decision rule, and facts."""
    rows = []
    for name, result in content.results.items():
        test, facts = result.select(), {} if result.unit.members else result.facts[0]
        images = {"test images": len(test), "of them leak": int(test["leaked"].sum())}
        scores = {words: content.scores.get((name, split), NONE) for split, words in SETS.items()}
        raw = {f"balanced accuracy without rule, {words}": score_raw(result, split) for split, words in SETS.items()}
        rows.append(
            {"run": name, **images, **scores, **raw, **{key.replace("_", " "): facts.get(key) for key in FACTS}}
        )
    return pd.DataFrame(rows, dtype=object)


def score_raw(result: Result, split: str) -> float:
    """The balanced accuracy of raw probabilities; NaN where there is no decision rule that changes them."""
    part = to_predictions(result.select(split))
    if np.array_equal(part.probabilities["raw"], part.headline):
        return np.nan
    return metrics.headline(part.labels, part.probabilities["raw"])["balanced_accuracy"]
