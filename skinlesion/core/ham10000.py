"""The seven diagnoses of HAM10000, in the order of every probability vector.

Source: Tschandl, Rosendahl, Kittler, Sci Data 5, 180161 (2018), table 1.
"""

from dataclasses import dataclass


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
