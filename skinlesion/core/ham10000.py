"""The seven diagnoses of HAM10000, in the order of every probability vector.

Source: Tschandl, Rosendahl, Kittler, Sci Data 5, 180161 (2018), table 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Diagnosis:
    """A class: its code in the `dx` column, its name, whether it is malignant, its colour in plots."""

    code: str
    name: str
    malignant: bool
    colour: str


DIAGNOSES = (
    Diagnosis("akiec", "actinic keratosis / Bowen's disease", True, "#e69f00"),
    Diagnosis("bcc", "basal cell carcinoma", True, "#d55e00"),
    Diagnosis("bkl", "benign keratosis", False, "#009e73"),
    Diagnosis("df", "dermatofibroma", False, "#56b4e9"),
    Diagnosis("mel", "melanoma", True, "#222222"),
    Diagnosis("nv", "melanocytic nevus", False, "#8c564b"),
    Diagnosis("vasc", "vascular lesion", False, "#cc79a7"),
)
CODES = tuple(diagnosis.code for diagnosis in DIAGNOSES)
COLOURS = {diagnosis.code: diagnosis.colour for diagnosis in DIAGNOSES}
NAMES = {diagnosis.code: diagnosis.name for diagnosis in DIAGNOSES}
MALIGNANT = tuple(diagnosis.code for diagnosis in DIAGNOSES if diagnosis.malignant)


def name_age_bands(ages: "pd.Series", limits: Sequence[int]) -> "pd.Series":
    """Name the age band of each age in years, as `30-49`; the last band is `70+`, a blank age is `unknown`.

    Args:
        ages: (N,), NaN where unknown.
        limits: rising lower limits of the bands, the first one 0.
    """
    import pandas as pd  # slow to import, and most users of this module need the classes only

    names = [f"{low}-{high - 1}" for low, high in pairwise(limits)] + [f"{limits[-1]}+"]
    return pd.cut(ages, [*limits, float("inf")], right=False, labels=names).astype(object).fillna("unknown")
