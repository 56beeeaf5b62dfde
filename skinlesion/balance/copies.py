"""A sheet of copies beside their originals, to see whether copies still look like skin and like their class."""

from pathlib import Path

import pandas as pd

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.sheets.sheet import Picture, Row

SHOWN = 6  # pictures of a class, originals and copies
ORIGINAL = "#1a1a1a"
NOTE = (
    "Framed: an original, followed by its copies. The text under a copy is its recipe, from the column operations of "
    "data/balanced/manifest.csv. Pixels beyond the border are reflected. Classes without copies are not shown."
)
NONE = "No class has copies: balance.per_class is null, or every class has as many originals."


def choose(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the manifest to show: of each class with copies, in the order of CODES, originals and copies.

    The originals with most copies come first, each before its copies. A class has at most SHOWN rows and ends with a
    copy.
    """
    counts = manifest[manifest["augmented"]].groupby(["dx", "image_id"]).size().sort_index()
    chosen = [manifest[:0]]
    for code in CODES:
        free = SHOWN
        copied = counts[counts.index.get_level_values("dx") == code].droplevel("dx")
        for image_id in copied.sort_values(ascending=False, kind="stable").index:
            if free >= 2:
                family = manifest[manifest["image_id"] == image_id].sort_values(["augmented", "path"])[:free]
                chosen.append(family)
                free -= len(family)
    return pd.concat(chosen, ignore_index=True)


def rows(chosen: pd.DataFrame) -> list[Row]:
    """Read the pictures of `choose`; return a row of the sheet for each class."""
    return [
        Row(str(code), [picture(row) for row in members.itertuples()])
        for code, members in chosen.groupby("dx", sort=False)
    ]


def picture(row: tuple) -> Picture:
    image = images.read(Path(row.path))
    return Picture(image, row.operations) if row.augmented else Picture(image, f"original {row.image_id}", ORIGINAL)
