"""HAM10000_metadata.csv: read, checked, and joined with the images that lie beside it."""

import warnings
from pathlib import Path

import pandas as pd

from skinlesion.classes import CODES
from skinlesion.errors import UserError, listing

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
UNKNOWN = ("unknown", "")
# data/raw is DVC's: a correction there would be undone.
CORRECT = "Correct that in the archive itself, then run: dvc repro -f download"


def read(path: Path) -> pd.DataFrame:
    """Read and check the metadata: one row per image, sorted by image_id, all columns text but age (years, NaN).

    Raises:
        UserError: the file is missing or no CSV, lacks a column, or has rows with a blank or repeated id, an
            unknown diagnosis or an age that is no number; the message names the rows.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # more fields than the header has columns
            table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{path} is missing: the archive's metadata CSV belongs there (dvc repro -f download)"
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV in UTF-8: {error}") from None
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise UserError(
            f"{path} lacks the columns {', '.join(missing)}. Found: {', '.join(table)}. "
            "Use HAM10000's own HAM10000_metadata.csv"
        )
    table = table[list(COLUMNS)].apply(lambda column: column.str.strip())
    for column in ("image_id", "lesion_id"):
        refuse(path, table, table[column] == "", f"a blank {column}")
    refuse(path, table, table["image_id"].duplicated(keep=False), "an image_id that another row has too")
    refuse(path, table, ~table["dx"].isin(CODES), f"a dx other than {', '.join(CODES)}", show="dx")
    age = pd.to_numeric(table["age"], errors="coerce")
    refuse(path, table, ~age.between(0, 120) & (table["age"] != ""), "an age that is no number of years", show="age")
    return table.assign(age=age).sort_values("image_id", ignore_index=True)


def refuse(path: Path, table: pd.DataFrame, wrong: pd.Series, what: str, show: str | None = None) -> None:
    """Raise a UserError that names the rows of `table` where `wrong`, by line of the file and by id."""
    rows = table[wrong]
    if rows.empty:
        return
    found = [
        f"line {index + 2} ({row['image_id'] or 'no id'}{f': {row[show]!r}' if show else ''})"
        for index, row in rows.iterrows()
    ]
    raise UserError(f"{path}: {len(rows)} rows have {what}: {listing(found)}. {CORRECT}")


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
