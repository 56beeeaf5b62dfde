"""Read and write the CSV tables between stages, in which ids and words stay text, even digits; name age bands."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd

from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file

PAIRS = ("image_id_1", "image_id_2", "group_1", "group_2")
TEXT = ("image_id", "lesion_id", "group", *PAIRS, "sex", "localization", "dx_type")  # also where they look like numbers


def read(path: Path) -> pd.DataFrame:
    """Read a table that `write` wrote, only blank cells as NaN; raise UserError where the file is missing."""
    try:
        return pd.read_csv(
            path, dtype=dict.fromkeys(TEXT, str), encoding="utf-8", keep_default_na=False, na_values=[""]
        )
    except FileNotFoundError:
        raise UserError(f"{path} is missing. An earlier stage makes it: run dvc repro") from None


def write(path: Path, table: pd.DataFrame, float_format: str | None = None) -> None:
    """Write `table` as CSV with one header line, whole or not at all; the same bytes on every system."""
    with replace_file(path) as partial:
        table.to_csv(partial, index=False, float_format=float_format, lineterminator="\n", encoding="utf-8")


def name_age_bands(ages: pd.Series, limits: Sequence[int]) -> pd.Series:
    """Name the age band of each age in years, as `30-49`; the last band is `70+`, a blank age (NaN) is `unknown`.

    `limits` are the rising lower limits of the bands, the first one 0.
    """
    names = [f"{low}-{high - 1}" for low, high in pairwise(limits)] + [f"{limits[-1]}+"]
    return pd.cut(ages, [*limits, float("inf")], right=False, labels=names).astype(object).fillna("unknown")
