"""predictions.csv: a model's probabilities for every image of validation and test, all that evaluation needs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration, scale

ABOUT = ["age", "sex", "localization", "dx_type"]  # columns of the metadata, for the subgroups
COLUMNS = ["split", "path", "image_id", "group", "dx", "augmented", "lesion_images", "leaked", *ABOUT, "predicted"]
VARIANTS = {"raw": "", "calibrated": "calibrated_", "natural": "natural_"}  # -> prefix of its seven columns


@dataclass(frozen=True)
class Predictions:
    """One split: rows (the columns above), labels (N,) as numbers of CODES, and (N, 7) probabilities by variant.

    raw: the model's output. calibrated: at its temperature. natural: also corrected to natural class frequencies.
    """

    rows: pd.DataFrame
    labels: np.ndarray
    probabilities: dict[str, np.ndarray]


def make_table(
    split: str, raw: np.ndarray, calibration: Calibration, splits: pd.DataFrame, metadata: pd.DataFrame
) -> pd.DataFrame:
    """A row for each image of `split`, in the order of data/splits.csv, probabilities to 6 significant digits.

    With 6 decimals a third of a confident model's would be 0, and these would all rank the same.

    Args:
        raw: (N, 7).
        splits, metadata: data/splits.csv and data/merged/metadata.csv, whole.
    """
    rows = splits[splits["split"] == split]
    originals = splits.loc[~splits["augmented"], "group"].value_counts()
    rows = rows.assign(lesion_images=rows["group"].map(originals))
    rows = rows.join(metadata.set_index("image_id")[ABOUT], on="image_id")
    rows["predicted"] = np.array(CODES)[significant(raw).argmax(axis=1)]
    by_variant = {"raw": raw, "calibrated": scale(raw, calibration.temperature), "natural": calibration.corrected(raw)}
    columns = [
        pd.DataFrame(significant(by_variant[variant]), columns=[f"{prefix}{code}" for code in CODES])
        for variant, prefix in VARIANTS.items()
    ]
    return pd.concat([rows[COLUMNS].reset_index(drop=True), *columns], axis=1)


def significant(values: np.ndarray) -> np.ndarray:
    """Rounded to 6 significant digits."""
    return np.vectorize(lambda value: float(f"{value:.6g}"))(values)


def select_split(table: pd.DataFrame, split: str) -> Predictions:
    """Read one split of a predictions table; each row of probabilities is scaled to sum to 1 again."""
    rows = table[table["split"] == split].reset_index(drop=True)
    probabilities = {}
    for variant, prefix in VARIANTS.items():
        values = rows[[f"{prefix}{code}" for code in CODES]].to_numpy()
        probabilities[variant] = values / values.sum(axis=1, keepdims=True)
    return Predictions(rows[COLUMNS], rows["dx"].map(CODES.index).to_numpy(), probabilities)
