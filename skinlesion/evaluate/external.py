"""The external set as further rows of the tables that the splits are in."""

import pandas as pd

from skinlesion.core import tables
from skinlesion.runtime import paths

SPLIT = "external"


def read(splits: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Read data/external as rows of data/splits.csv (split `external`) and of data/merged/metadata.csv.

    Images that are near copies of an image in train, or of one with an augmented copy there, are left out. The third
    value counts the near copies of original images in each split, in train those of augmented copies too.
    """
    metadata = tables.read(paths.EXTERNAL_METADATA)
    pairs = tables.read(paths.EXTERNAL_PAIRS)
    placed = splits.loc[~splits["augmented"] | (splits["split"] == "train"), ["image_id", "split"]]
    copies = pairs.merge(placed, left_on="image_id_2", right_on="image_id").groupby("split")["image_id_1"].agg(set)
    near_copies = {split: len(copies.get(split, ())) for split in ("train", "validation", "test", "unused")}
    kept = metadata[~metadata["image_id"].isin(copies.get("train", ()))]
    rows = kept[["image_id", "group", "dx"]].assign(
        path=[f"{paths.EXTERNAL_IMAGES.as_posix()}/{image_id}.png" for image_id in kept["image_id"]],
        augmented=False,
        leaked=False,
        split=SPLIT,
    )
    return rows, kept, near_copies
