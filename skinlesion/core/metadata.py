"""Read and check a table of labelled images, as HAM10000_metadata.csv, and match it with the image files."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
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
# A column, what its cells must be, and the test of it.
Rule = tuple[str, str, Callable[[str], object]]
RULES: list[Rule] = [
    *((column, "printable text in UTF-8", str.isprintable) for column in COLUMNS),
    ("image_id", "up to 100 letters, digits, _ and -", IMAGE_ID.fullmatch),
    ("lesion_id", "filled in", bool),
    ("dx", f"one of {', '.join(CODES)}", CODES.__contains__),
    ("age", "years from 0 to 120, or blank", AGE.fullmatch),
]


def read(file: Path | BytesIO, path: object = None, remedy: str = CORRECT) -> pd.DataFrame:
    """Read and check the metadata: one row per image, sorted by image_id; all columns text but age (years, NaN).

    Further columns, blank rows and spaces around cells are ignored.

    Args:
        path, remedy: for messages, which count the rows that are not blank lines, from 1, the header.

    Raises:
        UserError: the file is missing or not a CSV in UTF-8, lacks a column, or has cells that break RULES, too few
            cells, or an image_id twice; the message names the rows.
    """
    with naming(path or file, remedy):
        table = check(read_cells(file), COLUMNS, RULES, "image_id")
    return table.assign(age=pd.to_numeric(table["age"])).sort_values("image_id", ignore_index=True)


@contextmanager
def naming(path: object, remedy: str) -> Iterator[None]:
    """Put the path before the message of a UserError, and the remedy after it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}. {remedy}") from None


def read_cells(file: Path | BytesIO) -> pd.DataFrame:
    """Read a CSV as text without spaces around cells; its header is the columns, a cell that is missing is NaN."""
    text = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "encoding_errors": "surrogateescape"}
    try:
        # Without a header, pandas takes no column for an index; its Python engine marks missing cells by NaN.
        cells = pd.read_csv(file, header=None, engine="python", **text)
    except FileNotFoundError:
        raise UserError("the file is missing") from None
    except ValueError as error:
        raise UserError(f"not a CSV ({' '.join(str(error).split())})") from None
    cells = cells.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    return cells.set_axis(cells.iloc[0].fillna("").astype(str), axis=1)[1:]


def check(cells: pd.DataFrame, columns: list[str], rules: list[Rule], key: str) -> pd.DataFrame:
    """Return these columns of the rows that are not blank; raise UserError for a broken rule or a `key` twice."""
    header = list(cells.columns)
    if wrong := [column for column in columns if header.count(column) != 1]:
        there = listing([short(name) for name in header], 12)
        raise UserError(f"each of these columns is needed once: {', '.join(wrong)}. It has {there}")
    incomplete = cells.isna().any(axis=1)
    table = cells[columns].fillna("")
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise UserError("it has no rows")
    refuse(table[key], incomplete[table.index], "rows have fewer cells than the header")
    for column, rule, test in rules:
        refuse(table[column], [not test(cell) for cell in table[column]], f"{column} is not {rule}")
    refuse(table[key], table[key].duplicated(keep=False), f"{key} is in more than one row")
    return table


def refuse(cells: pd.Series, wrong: Sequence[bool], fault: str) -> None:
    """Raise a UserError that names the cells that are `wrong` and their rows, if there are any."""
    if rows := [f"{short(cell)} in row {number + 1}" for number, cell in cells[list(wrong)].items()]:
        raise UserError(f"{fault}: {listing(rows)}")


def match_images(table: pd.DataFrame, files: Mapping[str, object]) -> None:
    """Raise a UserError if a row of `table` has no image in `files`, which are by image_id, or an image has no row."""
    rows = set(table["image_id"])
    if missing := sorted(rows - set(files)):
        raise UserError(f"rows without an image ({len(missing)}): {listing(missing)}")
    if extra := [str(file) for image_id, file in sorted(files.items()) if image_id not in rows]:
        raise UserError(f"images without a row ({len(extra)}): {listing(extra)}")
