"""A sheet of copies beside their originals, to see whether copies still look like skin and like their class."""

from pathlib import Path

import pandas as pd

from skinlesion.core import images
from skinlesion.sheets.sheet import Picture, Row

SHOWN = 6  # pictures of a class, originals and copies
ORIGINAL = "#1a1a1a"
NOTE = (
    "Framed: an original, followed by its copies. The text under a copy is its recipe, from the column operations of "
    "data/balanced/manifest.csv. Pixels beyond the border are reflected. Classes without copies are not shown."
)
NONE = "No class has copies: balance.per_class is null, or every class has as many originals."


def choose(manifest: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the manifest to show: of each class with copies, by its code, originals and copies.

    The originals with most copies come first, each before its copies. A class has at most SHOWN rows and ends with a
    copy.
    """
    copies = manifest.groupby("image_id")["augmented"].transform("sum")
    order = ["dx", "copies", "image_id", "augmented", "path"]
    families = manifest.assign(copies=-copies)[copies > 0].sort_values(order)
    chosen = families.groupby("dx").head(SHOWN)
    last = ~chosen["dx"].duplicated(keep="last")
    return chosen[chosen["augmented"] | ~last].drop(columns="copies").reset_index(drop=True)


def rows(chosen: pd.DataFrame) -> list[Row]:
    """Read the pictures of `choose`; return a row of the sheet for each class."""
    return [
        Row(str(code), [picture(row) for row in members.itertuples()])
        for code, members in chosen.groupby("dx", sort=False)
    ]


def picture(row: tuple) -> Picture:
    image = images.read(Path(row.path))
    return Picture(image, row.operations) if row.augmented else Picture(image, f"original {row.image_id}", ORIGINAL)
