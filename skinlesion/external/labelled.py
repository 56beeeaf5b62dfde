"""A second labelled set: its table, and its image files by id."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import pandas as pd

from skinlesion.core import metadata


@dataclass(frozen=True)
class LabelledSet:
    """`table` has the columns of HAM10000_metadata.csv, blank where nothing is known; `open` gives an image's file."""

    table: pd.DataFrame
    open: Callable[[str], BytesIO]


def empty() -> LabelledSet:
    """The set without an image."""
    return LabelledSet(pd.DataFrame(columns=metadata.COLUMNS), lambda image_id: BytesIO())
