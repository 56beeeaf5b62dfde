"""Copies beside their originals: whether what the augmentation made still looks like skin, and like its class."""

from pathlib import Path

import pandas as pd

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.sheets.sheet import Picture, Row

SHOWN = 6  # pictures of a class, originals and copies
ORIGINAL = "#1a1a1a"
NOTE = (
    "Framed: an original; after it, copies of it. Under each copy stands its recipe, from the column operations of "
    "data/balanced/manifest.csv; what lies beyond the border is reflected. Classes without copies are left out."
)
NONE = "No class has copies: each has as many originals as balance.per_class asks for, or it is null."


def choose(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows of the manifest to show: of each class with copies, in the order of CODES, originals and their copies.

    The most copied originals come first, each before its copies; a class has at most SHOWN rows, of which the last is a
    copy.
    """
    copies = manifest[manifest["augmented"]]
    counts = copies["image_id"].value_counts()
    chosen = []
    for code in CODES:
        known = counts[counts.index.isin(copies.loc[copies["dx"] == code, "image_id"])]
        room = SHOWN
        for image_id in sorted(known.index, key=lambda image_id: (-known[image_id], image_id)):
            if room < 2:
                break
            family = manifest[manifest["image_id"] == image_id].sort_values(["augmented", "path"])[:room]
            chosen.append(family)
            room -= len(family)
    return pd.concat(chosen, ignore_index=True) if chosen else manifest[:0]


def rows(chosen: pd.DataFrame) -> list[Row]:
    """A row of the sheet for each class, with the pictures read from their paths."""
    return [
        Row(str(code), [picture(row) for row in members.itertuples()])
        for code, members in chosen.groupby("dx", sort=False)
    ]


def picture(row: tuple) -> Picture:
    image = images.read(Path(row.path))
    return Picture(image, row.operations) if row.augmented else Picture(image, f"original {row.image_id}", ORIGINAL)
