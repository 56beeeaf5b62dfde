"""One split of a predictions.csv that a person named, checked before anything is computed from it."""

from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.model.predictions import COLUMNS, DECISION, PATIENT, VARIANTS, Predictions, select_split
from skinlesion.runtime.errors import UserError

MEASURED = [f"{prefix}{code}" for prefix in VARIANTS.values() for code in CODES]
NEEDED = [*COLUMNS, *MEASURED, *(f"{PATIENT}{code}" for code in CODES)]


def read_split(path: Path, split: str, name: str) -> Predictions:
    """Read one split of a predictions.csv; `name` is what messages call it.

    Raises UserError if it is missing or no such table, has a row that cannot be used, or no row of `split`.
    """
    try:
        table = tables.read(path)
    except ValueError as error:
        raise UserError(
            f"{name} is not a CSV table ({str(error).strip()}). Give a data/predictions.csv that evaluate wrote"
        ) from None
    if lacking := [column for column in NEEDED if column not in table]:
        remedy = "Give a data/predictions.csv that this version's evaluate wrote, or run dvc repro with this version"
        raise UserError(f"{name} lacks {len(lacking)} columns, such as {lacking[0]}. {remedy}")
    decided = [column for column in MEASURED[: len(CODES)] if f"{DECISION}{column}" in table]
    if decided and len(decided) < len(CODES):
        raise UserError(f"{name} has only some of the {DECISION} columns. Run evaluate again: dvc repro -f evaluate")
    rows = table[table["split"] == split]
    if rows.empty:
        others = " or ".join(f"--split {other}" for other in table["split"].unique())
        scored = "Score an external set (external.source in params.yaml, then dvc repro)" if split == "external" else ""
        remedy = f"{scored or 'Run dvc repro'}{f', or use {others}' if others else ''}"
        raise UserError(f"{name} has no row of split {split}. {remedy}")
    check_rows(rows, name)
    return select_split(table, split)


def check_rows(rows: pd.DataFrame, name: str) -> None:
    """Raise UserError for the first row without an id, with an unknown class, or without seven probabilities."""
    values = rows[[column for column in rows if column.removeprefix(DECISION) in MEASURED]]
    values = values.apply(pd.to_numeric, errors="coerce").to_numpy()
    ids = rows[["path", "image_id", "group"]]
    faults = {
        "a blank path, image_id or group": ids.isna().any(axis=1),
        "a path that an earlier row has": rows["path"].duplicated(),
        f"a dx that is none of {', '.join(CODES)}": ~rows["dx"].isin(CODES),
        "a probability that is no number from 0 to 1": ~((values >= 0) & (values <= 1)).all(axis=1),
        "seven probabilities that are all 0": (values.reshape(len(values), -1, len(CODES)).sum(axis=2) == 0).any(
            axis=1
        ),
    }
    for fault, where in faults.items():
        if np.any(where):
            line = rows.index[np.argmax(where)] + 2
            raise UserError(f"{name}, line {line}: {fault}. Run evaluate again: dvc repro -f evaluate")
