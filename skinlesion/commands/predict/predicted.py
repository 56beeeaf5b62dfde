"""What a model said of people's images: a table for machines, and one for people."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from skinlesion.commands.outputs import COLUMNS
from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.model.classify import Batch


def table(batch: Batch) -> pd.DataFrame:
    """A row for each image that could be read (outputs.COLUMNS), natural probabilities rounded to 6 digits."""
    rows = pd.DataFrame(batch.natural.round(6), columns=list(CODES))
    rows.insert(0, "path", [printable(file) for file in batch.files])
    rows.insert(1, "predicted", np.array(CODES)[batch.predicted])
    return rows[COLUMNS]


def join(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def printable(what: object) -> str:
    """A path, or a message with one: file systems allow names that are no text, which neither screen nor CSV takes."""
    return os.fsencode(str(what)).decode(errors="backslashreplace")


def for_people(table: pd.DataFrame, top: int, limit: int | None = None) -> str:
    """The `top` most probable diagnoses of each image in words, most probable first; then how often each came first.

    Args:
        table: as `table` and `join` make it.
        limit: images listed; None lists all.
    """
    listed = table if limit is None else table.head(limit)
    image = max(len("image"), *map(len, listed["path"]))
    words = [f"{one.name} ({one.code})" + (", malignant" if one.malignant else "") for one in DIAGNOSES]
    diagnosis = max(map(len, words))
    lines = [f"{'image':<{image}}  {'diagnosis':<{diagnosis}}  probability"]
    for path, values in zip(listed["path"], listed[list(CODES)].to_numpy(), strict=True):
        for place, label in enumerate(np.argsort(-values, kind="stable")[:top]):
            lines.append(f"{'' if place else path:<{image}}  {words[label]:<{diagnosis}}  {values[label]:>11.1%}")
    if len(listed) < len(table):
        lines.append(f"... and {len(table) - len(listed)} images more")
    if len(table) > 1:
        names = table["predicted"].map({one.code: one.name for one in DIAGNOSES})
        lines.append(f"{len(table)} images: " + ", ".join(f"{n} {name}" for name, n in names.value_counts().items()))
    return "\n".join(lines)
