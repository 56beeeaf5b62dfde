"""predictions.csv: probabilities of all images of validation, test and the external set, all that evaluation needs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration, scale

ABOUT = ["age", "sex", "localization", "dx_type"]  # columns of the metadata, for the subgroups
COLUMNS = ["split", "path", "image_id", "group", "dx", "augmented", "lesion_images", "leaked", *ABOUT, "predicted"]
VARIANTS = {"raw": "", "calibrated": "calibrated_", "natural": "natural_"}  # -> prefix of its seven columns
PATIENT = "patient_"  # prefix of the probabilities from age, sex and site alone
DECISION = "decision_"  # prefix of the headline's columns, where a decision rule makes them differ from the raw ones


@dataclass(frozen=True)
class Predictions:
    """One split: rows (the columns above), labels (N,) as numbers of CODES, and (N, 7) probabilities by variant.

    raw: the model's output. calibrated: at its temperature. natural: also corrected to natural class frequencies.
    headline: what the headline figures are computed from: raw, or changed by the decision rule. patient: from age, sex
    and site, without the image.
    """

    rows: pd.DataFrame
    labels: np.ndarray
    probabilities: dict[str, np.ndarray]
    headline: np.ndarray
    patient: np.ndarray


def make_table(
    split: str,
    raw: np.ndarray,
    calibration: Calibration,
    exponent: float,
    patient: np.ndarray,
    splits: pd.DataFrame,
    metadata: pd.DataFrame,
) -> pd.DataFrame:
    """A row for each image of `split`, in the order of data/splits.csv, probabilities to 6 significant digits.

    With 6 decimals a third of a confident model's would be 0, and these would all rank the same.

    Args:
        raw: (N, 7).
        exponent: of the decision rule, see Calibration.decided; 0: raw.
        patient: (N, 7), from age, sex and site.
        splits, metadata: data/splits.csv and data/merged/metadata.csv, whole, with the rows of the external set.
    """
    rows = splits[splits["split"] == split]
    originals = splits.loc[~splits["augmented"], "group"].value_counts()
    rows = rows.assign(lesion_images=rows["group"].map(originals))
    rows = rows.join(metadata.set_index("image_id")[ABOUT], on="image_id")
    headline = calibration.decided(raw, exponent)
    rows["predicted"] = np.array(CODES)[significant(headline).argmax(axis=1)]
    calibrated, natural = scale(raw, calibration.temperature), calibration.corrected(raw)
    by_prefix = {"": raw, "calibrated_": calibrated, "natural_": natural, PATIENT: patient}
    if exponent:
        by_prefix[DECISION] = headline
    columns = [
        pd.DataFrame(significant(values), columns=[f"{prefix}{code}" for code in CODES])
        for prefix, values in by_prefix.items()
    ]
    return pd.concat([rows[COLUMNS].reset_index(drop=True), *columns], axis=1)


def significant(values: np.ndarray) -> np.ndarray:
    """Rounded to 6 significant digits."""
    return np.vectorize(lambda value: float(f"{value:.6g}"))(values)


def select_split(table: pd.DataFrame, split: str) -> Predictions:
    """Read one split of a predictions table; each row of probabilities is scaled to sum to 1 again."""
    rows = table[table["split"] == split].reset_index(drop=True)

    def read(prefix: str) -> np.ndarray:
        values = rows[[f"{prefix}{code}" for code in CODES]].to_numpy()
        return values / values.sum(axis=1, keepdims=True)

    probabilities = {variant: read(prefix) for variant, prefix in VARIANTS.items()}
    headline = read(DECISION) if f"{DECISION}{CODES[0]}" in rows else probabilities["raw"]
    return Predictions(rows[COLUMNS], rows["dx"].map(CODES.index).to_numpy(), probabilities, headline, read(PATIENT))
