"""HAM10000_metadata.csv: read, checked, and joined with the images that lie beside it."""

import re
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as short

import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.core.ids import IMAGE_ID, IMAGE_ID_RULE
from skinlesion.merge import delimited
from skinlesion.merge.delimited import Row
from skinlesion.runtime.errors import UserError, listing

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
UNKNOWN = ("unknown", "")
# data/raw is DVC's: a correction there would be undone.
CORRECT = "Correct that in the archive itself, then run: dvc repro -f download"


def is_age(cell: str) -> bool:
    return not cell or (re.fullmatch(r"[0-9]{1,3}(\.[0-9]*)?", cell) is not None and float(cell) <= 120)


# What each cell of a column must be, and the test of it.
RULES: list[tuple[str, str, Callable[[str], object]]] = [
    *((column, "printable text in UTF-8", str.isprintable) for column in COLUMNS),
    ("image_id", f"the image's name, {IMAGE_ID_RULE}", IMAGE_ID.fullmatch),
    ("lesion_id", "filled in", bool),
    ("dx", f"one of {', '.join(CODES)}", CODES.__contains__),
    ("age", "a number of years from 0 to 120, or blank where it is not known", is_age),
]


def read(path: Path) -> pd.DataFrame:
    """Read and check the metadata: one row per image, sorted by image_id, all columns text but age (years, NaN).

    See delimited.parse for the ways of writing that do not matter; nor do capitals in dx, further columns, or the
    same row again.

    Raises:
        UserError: the file is missing or no CSV, lacks a column, or has rows with a blank or odd id, an unknown
            diagnosis, an age that is no number, or rows of one image that differ; the message names the lines.
    """
    try:
        rows = delimited.parse(path.read_bytes(), COLUMNS)
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: the archive's metadata CSV belongs there (dvc repro -f download)"
        ) from None
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {error}. {CORRECT}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Make it readable") from error
    for row in rows:
        row.cells["dx"] = row.cells["dx"].lower()
    for column, rule, test in RULES:
        refuse(path, f"{column} must be {rule}", [place(row, column) for row in rows if not test(row.cells[column])])
    table = pd.DataFrame(once_each(path, rows), columns=list(COLUMNS), dtype="str")
    return table.assign(age=pd.to_numeric(table["age"])).sort_values("image_id", ignore_index=True)


def refuse(path: Path, rule: str, received: list[str]) -> None:
    """Raise a UserError with the `rule` where anything is `received` against it."""
    if received:
        raise UserError(f"{path}: {rule}. Received: {listing(received)}. {CORRECT}")


def place(row: Row, column: str) -> str:
    """A cell and where it stands, for a message; an image_id is shown where it may be trusted to be one."""
    image_id = row.cells["image_id"]
    named = f" ({image_id})" if column != "image_id" and IMAGE_ID.fullmatch(image_id) else ""
    return f"{short(row.cells[column])} in line {row.line}{named}"


def once_each(path: Path, rows: list[Row]) -> list[list[str]]:
    """The cells of COLUMNS of each image, once; UserError where rows of one image differ in them."""
    first: dict[str, Row] = {}
    differing = []
    for row in rows:
        other = first.setdefault(row.cells["image_id"], row)
        if columns := [column for column in COLUMNS if row.cells[column] != other.cells[column]]:
            differing.append(
                f"{row.cells['image_id']}, whose lines {other.line} and {row.line} differ in {', '.join(columns)}"
            )
    refuse(path, "rows of one image_id must agree", differing)
    return [[row.cells[column] for column in COLUMNS] for row in first.values()]


def join_images(table: pd.DataFrame, images: dict[str, Path]) -> None:
    """Check that rows and images match one to one.

    Args:
        table: what `read` gives.
        images: the image files by image_id.

    Raises:
        UserError: a row has no image, or an image no row.
    """
    without_image = sorted(set(table["image_id"]) - set(images))
    if without_image:
        raise UserError(
            f"{len(without_image)} rows of the metadata have no image: {listing(without_image)}. "
            f"Is a part folder missing? {CORRECT}"
        )
    without_row = sorted(set(images) - set(table["image_id"]))
    if without_row:
        raise UserError(
            f"{len(without_row)} images have no row in the metadata: "
            f"{listing([str(images[name]) for name in without_row])}. {CORRECT}"
        )
