"""Merge: the image parts and the metadata become one folder of equal squares and one table."""

from pathlib import Path

import pandas as pd

from skinlesion.core import images, metadata, tables
from skinlesion.core.ham10000 import CODES
from skinlesion.merge import groups
from skinlesion.near_duplicates.pairs import list_pairs
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.params.sections import Data, Images

COLUMNS = [
    "image_id", "lesion_id", "group", "dx", "dx_type", "age", "sex", "localization", "part", "width", "height",
]  # fmt: skip


def merge(raw: Path, target: Path, data: Data, image_params: Images) -> tuple[pd.DataFrame, dict]:
    """Resize every image of `raw` into `target`/images and write `target`/metadata.csv.

    Args:
        raw: part folders and HAM10000_metadata.csv, as download leaves them.
        target: an empty folder.
        data, image_params: the sections of params.yaml.

    Returns:
        the table as written, and the counts for metrics/data.json.

    Raises:
        UserError: rows and images do not match, the metadata is wrong, images are damaged and data.on_bad_image is
            `fail`, or fewer than two classes are left.
    """
    pairs = groups.read_pairs(data.duplicates) if data.duplicates else []
    table = metadata.read(raw / "HAM10000_metadata.csv")
    files = {file.stem: file for file in sorted(raw.glob("HAM10000_images_part_*/*.jpg"))}
    with metadata.naming(raw, metadata.CORRECT):
        metadata.match_images(table, files)
    (target / "images").mkdir()

    sources = [files[image_id].absolute() for image_id in table["image_id"]]
    shapes = images.write_squares(table["image_id"], sources, target / "images", image_params.size, image_params.fit)
    damaged = [str(shape) for shape in shapes if isinstance(shape, images.BadImage)]
    if damaged and data.on_bad_image == "fail":
        raise UserError(
            f"Damaged images ({len(damaged)}): {listing(damaged)}. {metadata.CORRECT}. To leave them out, set "
            "data.on_bad_image: skip"
        )
    table["part"] = [files[image_id].parent.name.rsplit("_", 1)[-1] for image_id in table["image_id"]]
    whole = [not isinstance(shape, images.BadImage) for shape in shapes]
    table = table[whole].reset_index(drop=True)
    if table["dx"].nunique() < 2:
        classes = ", ".join(table["dx"].unique()) or "none"
        raise UserError(f"{raw}: at least two classes need whole images. Present: {classes}. {metadata.CORRECT}")
    table[["width", "height"]] = [shape for shape, kept in zip(shapes, whole, strict=True) if kept]
    group_of, joined = groups.join(table.set_index("image_id")["lesion_id"], pairs)
    table["group"] = group_of.to_numpy()
    table = table[COLUMNS]
    tables.write(target / "metadata.csv", table)
    return table, counts(table, damaged=len(damaged), joined=joined)


def find_near_pairs(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """List the near-identical images of different groups: image_id_1, image_id_2, distance; closest first."""
    pairs = list_pairs(folder, table["image_id"])
    sides = [pairs[column].map(table.set_index("image_id")["group"]) for column in ("image_id_1", "image_id_2")]
    return pairs[sides[0] != sides[1]].reset_index(drop=True)


def counts(table: pd.DataFrame, damaged: int, joined: int) -> dict:
    """Return the content of metrics/data.json."""
    per_class = table["dx"].value_counts().reindex(CODES, fill_value=0)
    return {
        "images": len(table),
        "lesions": table["lesion_id"].nunique(),
        "groups": table["group"].nunique(),
        "images_per_class": {code: int(images) for code, images in per_class.items()},
        "classes_without_images": list(per_class.index[per_class == 0]),
        "damaged_images_skipped": damaged,
        "duplicate_pairs_joined": joined,
        "missing": {
            "age": int(table["age"].isna().sum()),
            "sex": int(table["sex"].isin(metadata.UNKNOWN).sum()),
            "localization": int(table["localization"].isin(metadata.UNKNOWN).sum()),
        },
    }
