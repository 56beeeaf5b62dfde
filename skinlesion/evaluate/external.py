"""The external set as further rows of the tables that the splits are in."""

import pandas as pd

from skinlesion.core import tables
from skinlesion.runtime import paths

SPLIT = "external"


def read(splits: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Read data/external as rows of data/splits.csv (split `external`) and of data/merged/metadata.csv.

    Images that are near copies of an image in train are left out; the third value is their number.
    """
    metadata = tables.read(paths.EXTERNAL_METADATA)
    pairs = tables.read(paths.EXTERNAL_PAIRS)
    learned = splits.loc[splits["split"] == "train", "image_id"]
    copies = pairs.loc[pairs["image_id_2"].isin(learned), "image_id_1"]
    kept = metadata[~metadata["image_id"].isin(copies)]
    rows = kept[["image_id", "group", "dx"]].assign(
        path=[f"{paths.EXTERNAL_IMAGES.as_posix()}/{image_id}.png" for image_id in kept["image_id"]],
        augmented=False,
        leaked=False,
        split=SPLIT,
    )
    return rows, kept, len(metadata) - len(kept)
