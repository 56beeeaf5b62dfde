"""Read and check HAM10000_metadata.csv, and match it with the image files."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from reprlib import repr as short

import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.runtime.errors import UserError, listing

COLUMNS = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
UNKNOWN = ("unknown", "")
IMAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # ids are untrusted and become file names, so they must not be paths
AGE = re.compile(r"(([0-9]{1,2}|1[01][0-9])(\.[0-9]*)?|120(\.0*)?)?")
# Not in data/raw: DVC would undo a correction there.
CORRECT = "Correct that in the archive, then run: dvc repro -f download"
# Each column, what its cells must be, and the test of it.
RULES: list[tuple[str, str, Callable[[str], object]]] = [
    *((column, "printable text in UTF-8", str.isprintable) for column in COLUMNS),
    ("image_id", "up to 100 letters, digits, _ and -", IMAGE_ID.fullmatch),
    ("lesion_id", "filled in", bool),
    ("dx", f"one of {', '.join(CODES)}", CODES.__contains__),
    ("age", "years from 0 to 120, or blank", AGE.fullmatch),
]


def read(path: Path) -> pd.DataFrame:
    """Read and check the metadata: one row per image, sorted by image_id; all columns text but age (years, NaN).

    Further columns, blank rows and spaces around cells are ignored. Messages count the rows that are not blank lines,
    from 1, the header.

    Raises:
        UserError: the file is missing or not a CSV in UTF-8, lacks a column, or has cells that break RULES, too few
            cells, or an image_id twice; the message names the rows.
    """
    text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "encoding_errors": "surrogateescape"}
    try:
        # Without a header, pandas takes no column for an index; its Python engine marks missing cells by NaN.
        cells = pd.read_csv(path, header=None, engine="python", **text)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Add it to the archive, then run: dvc repro -f download") from None
    except ValueError as error:
        raise UserError(f"{path} is not a CSV: {' '.join(str(error).split())}. {CORRECT}") from None
    header = [str(name).strip() for name in cells.iloc[0]]
    if wrong := [column for column in COLUMNS if header.count(column) != 1]:
        raise UserError(
            f"{path} needs each of these columns once: {', '.join(wrong)}. "
            f"It has {listing([short(name) for name in header], 12)}. {CORRECT}"
        )
    incomplete = cells.isna().any(axis=1)
    table = cells.fillna("").set_axis(header, axis=1)[COLUMNS].map(str.strip)[1:]
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise UserError(f"{path} has no rows. {CORRECT}")
    refuse(path, table["image_id"], incomplete[table.index], "rows have fewer cells than the header")
    for column, rule, test in RULES:
        refuse(path, table[column], [not test(cell) for cell in table[column]], f"{column} is not {rule}")
    refuse(path, table["image_id"], table["image_id"].duplicated(keep=False), "image_id is in more than one row")
    return table.assign(age=pd.to_numeric(table["age"])).sort_values("image_id", ignore_index=True)


def refuse(path: Path, cells: pd.Series, wrong: Sequence[bool], fault: str) -> None:
    """Raise a UserError that names the cells that are `wrong` and their rows, if there are any."""
    if rows := [f"{short(cell)} in row {number + 1}" for number, cell in cells[list(wrong)].items()]:
        raise UserError(f"{path}: {fault}: {listing(rows)}. {CORRECT}")


def match_images(table: pd.DataFrame, files: dict[str, Path]) -> None:
    """Raise a UserError if a row of `table` has no image in `files`, which are by image_id, or an image has no row."""
    rows = set(table["image_id"])
    if missing := sorted(rows - set(files)):
        raise UserError(f"Rows of the metadata without an image ({len(missing)}): {listing(missing)}. {CORRECT}")
    if extra := [str(file) for image_id, file in sorted(files.items()) if image_id not in rows]:
        raise UserError(f"Images without a row in the metadata ({len(extra)}): {listing(extra)}. {CORRECT}")
