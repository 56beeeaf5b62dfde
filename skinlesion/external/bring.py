"""Bring a second labelled set: squares of the model's size, one table, and its near copies in HAM10000."""

from pathlib import Path

import pandas as pd

from skinlesion.core import images, tables
from skinlesion.core.near_duplicates import fingerprints, near_pairs
from skinlesion.external.challenge import REMEDY
from skinlesion.external.labelled import LabelledSet
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.params.sections import Images

COLUMNS = ["image_id", "lesion_id", "group", "dx", "dx_type", "age", "sex", "localization", "width", "height"]


def bring(labelled: LabelledSet, merged: pd.DataFrame, target: Path, image_params: Images) -> pd.DataFrame:
    """Resize every image into `target`/images and write `target`/metadata.csv; return that table.

    `group` is the lesion, or the image where no lesion is known.

    Args:
        merged: data/merged/metadata.csv.
        target: an empty folder.

    Raises:
        UserError: images are damaged, images or lesions are HAM10000's own, or all images are squares and images.fit is
            `crop`, which would treat them otherwise than the training images.
    """
    table = labelled.table
    for column in ("image_id", "lesion_id"):
        known = sorted({*table[column]} & {*merged[column]})
        if known:
            raise UserError(f"The external set has {column}s of HAM10000 ({len(known)}): {listing(known)}. {REMEDY}")
    (target / "images").mkdir()
    ids = list(table["image_id"])
    shapes = images.write_squares(ids, labelled.open, target / "images", image_params.size, image_params.fit)
    if damaged := [str(shape) for shape in shapes if isinstance(shape, images.BadImage)]:
        raise UserError(f"Damaged images in the external set ({len(damaged)}): {listing(damaged)}. {REMEDY}")
    if shapes and image_params.fit == "crop" and all(width == height for width, height in shapes):
        raise UserError(
            "The external set's images are squares: somebody squeezed or cut them. With images.fit: crop the model "
            "would see another shape than in training. Set images.fit: stretch, or use the original images"
        )
    sizes = pd.DataFrame(shapes, columns=["width", "height"], index=table.index)
    table = table.join(sizes).assign(group=table["lesion_id"].where(table["lesion_id"] != "", table["image_id"]))
    tables.write(target / "metadata.csv", table[COLUMNS])
    return table[COLUMNS]


def find_near_copies(table: pd.DataFrame, folder: Path, merged: pd.DataFrame, merged_folder: Path) -> pd.DataFrame:
    """List the near-identical pairs of the external set (image_id_1) and HAM10000 (image_id_2), closest first.

    The folders have the squares of both tables. An empty external set has no pairs, and nothing is read.
    """
    pairs = {"image_id_1": [], "image_id_2": [], "distance": []}
    if len(table):
        sides = [
            fingerprints([images_folder / f"{image_id}.png" for image_id in side["image_id"]])
            for side, images_folder in ((table, folder), (merged, merged_folder))
        ]
        first, second, distances = near_pairs(*sides)
        ids = (side["image_id"].to_numpy()[index] for side, index in ((table, first), (merged, second)))
        pairs = dict(zip(pairs, (*ids, distances), strict=True))
    return pd.DataFrame(pairs)
