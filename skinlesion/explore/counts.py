"""A description of the data: counts by class, and a sheet of images."""

from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.core.tables import name_age_bands
from skinlesion.sheets.sheet import Picture, Row

AGE_LIMITS = (0, 20, 30, 40, 50, 60, 70, 80)
SHOWN = 8  # images per class on the sheet


def tables(metadata: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Count images by class: alone (dx, images), and by age, sex and localization (dx, value, images)."""
    ages = name_age_bands(metadata["age"], AGE_LIMITS)
    by = {"age": ages, **{name: metadata[name].fillna("unknown") for name in ("sex", "localization")}}
    alone = metadata["dx"].value_counts().reindex(CODES, fill_value=0)
    counted = {"class_counts": alone.rename_axis("dx").reset_index(name="images")}
    for name, values in by.items():
        counts = metadata.groupby(["dx", values.rename("value")]).size()
        counted[name] = counts.reset_index(name="images").sort_values(["dx", "value"], ignore_index=True)
    return counted


def rows_of_images(metadata: pd.DataFrame, folder: Path) -> list[Row]:
    """Return a row of the sheet for each class: pictures of some of its lesions, spread over the table."""
    rows = []
    for diagnosis in DIAGNOSES:
        lesions = metadata[metadata["dx"] == diagnosis.code].drop_duplicates("group")
        chosen = lesions.iloc[np.linspace(0, len(lesions) - 1, min(SHOWN, len(lesions))).astype(int)]
        pictures = [Picture(images.read(folder / f"{image_id}.png")) for image_id in chosen["image_id"]]
        if pictures:
            rows.append(Row(f"{diagnosis.code}\n{len(lesions)} lesions", pictures))
    return rows
