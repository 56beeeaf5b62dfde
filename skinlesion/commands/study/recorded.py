"""The recorded results of a study: those of runs, and of runs pooled by their predictions; scores with intervals."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skinlesion.commands.study import record
from skinlesion.commands.study.comparison import MEASURES
from skinlesion.commands.study.listed import Study, Unit, list_units
from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import metrics
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import ABOUT, Predictions
from skinlesion.report.table import Estimate
from skinlesion.runtime.errors import UserError

ALL = list(CODES)
RAW = [f"{record.RAW}{code}" for code in CODES]


@dataclass(frozen=True)
class Result:
    """The result of a unit: `facts` of its runs, `rows` as in predictions.csv.gz, `tables` by name (of a run alone)."""

    unit: Unit
    facts: tuple[dict[str, Any], ...]
    rows: pd.DataFrame
    tables: dict[str, pd.DataFrame]

    def select(self, split: str = "test", originals: bool = False) -> pd.DataFrame:
        """Select the rows of a split, or only its original images."""
        rows = self.rows[self.rows["split"] == split]
        return (rows[~rows["augmented"]] if originals else rows).reset_index(drop=True)

    @property
    def is_constant(self) -> bool:
        """Whether the model takes all test images for one class."""
        return len(np.unique(self.select()[ALL].to_numpy().argmax(axis=1))) == 1


def read_results(folder: Path, study: Study) -> dict[str, Result]:
    """Read the results of all units whose runs are recorded in `folder`, by name. Raises UserError as `pool` does."""
    results: dict[str, Result] = {}
    for unit in list_units(study):
        if not unit.members and (folder / unit.name / record.FACTS).is_file():
            results[unit.name] = read_run(folder / unit.name, unit)
        elif unit.members and all(name in results for name in unit.members):
            results[unit.name] = pool(unit, [results[name] for name in unit.members])
    return results


def read_run(folder: Path, unit: Unit) -> Result:
    rows = tables.read(folder / record.PREDICTIONS)
    if RAW[0] not in rows:
        rows[RAW] = rows[ALL]
    rows["path"] = rows["image_id"] + "_" + rows.groupby(["split", "image_id"]).cumcount().astype(str)
    content = {name: tables.read(folder / f"{name}.csv") for name in record.TABLES}
    return Result(unit, (record.read_facts(folder),), rows, content)


def pool(unit: Unit, members: list[Result]) -> Result:
    """Average the probabilities of an ensemble, or put the test images of all folds together.

    Raises UserError if the runs of an ensemble have other splits or images, or two folds test one image.
    """
    facts, first = tuple(fact for member in members for fact in member.facts), members[0].rows
    if unit.label == "folds":
        rows = pd.concat([member.select() for member in members], ignore_index=True)
        if rows["path"].duplicated().any():
            image = rows["path"][rows["path"].duplicated()].iloc[0]
            remedy = "Run all folds with the same data and split"
            raise UserError(f"{unit.name}: two folds test the image {image}. {remedy}")
        return Result(unit, facts, rows, {})
    for member in members[1:]:
        same = member.rows[[*record.COLUMNS, "path"]].equals(first[[*record.COLUMNS, "path"]])
        if not same or member.facts[0]["splits"] != facts[0]["splits"]:
            other = f"{member.unit.name} has other splits than {members[0].unit.name}"
            raise UserError(f"{other}, so their probabilities have no mean. Run both with the same data and split")
    rows = first.copy()
    for columns in (ALL, RAW):
        rows[columns] = np.mean([normalize(member.rows[columns]) for member in members], axis=0)
    return Result(unit, facts, rows, {})


def normalize(probabilities: pd.DataFrame) -> np.ndarray:
    """Return the probabilities (N, 7); each row sums to 1."""
    values = probabilities.to_numpy()
    return values / values.sum(axis=1, keepdims=True)


def to_predictions(rows: pd.DataFrame) -> Predictions:
    """Bring rows of a result into the form that evaluate and compare read, with raw probabilities and the headline's.

    ABOUT and the probabilities of `patient`, which the record lacks, are NaN.
    """
    headline, raw = (normalize(rows[columns]) for columns in (ALL, RAW))
    about = rows.assign(**dict.fromkeys(ABOUT, np.nan))
    return Predictions(about, rows["dx"].map(ALL.index).to_numpy(), {"raw": raw}, headline, np.full_like(raw, np.nan))


def score(rows: pd.DataFrame, study: Study) -> dict[str, Estimate]:
    """Compute MEASURES with intervals by lesion, and macro ROC-AUC without."""
    part = to_predictions(rows)
    draws = Bootstrap.draw(rows["group"], study.bootstrap, study.seed)
    values = metrics.headline(part.labels, part.headline)
    intervals = draws.overall(part.labels, part.headline.argmax(axis=1))
    return {name: Estimate(values[name], *intervals.get(name, ())) for name in (*MEASURES, "roc_auc_macro")}
