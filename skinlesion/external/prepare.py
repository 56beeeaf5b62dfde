"""Prepare a second labelled set: squares of the model's size and one table."""

from functools import partial
from pathlib import Path

import pandas as pd

from skinlesion.core import images, tables
from skinlesion.external.challenge import REMEDY
from skinlesion.external.labelled import LabelledSet
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.params.sections import Images

COLUMNS = ["image_id", "lesion_id", "group", "dx", "dx_type", "age", "sex", "localization", "width", "height"]


def prepare(labelled: LabelledSet, merged: pd.DataFrame, target: Path, image_params: Images) -> pd.DataFrame:
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
    sources = [partial(labelled.open, image_id) for image_id in table["image_id"]]
    shapes = images.write_squares(table["image_id"], sources, target / "images", image_params.size, image_params.fit)
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
