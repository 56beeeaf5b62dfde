"""The seven diagnoses of the sample: how many lesions, what they look like, who has them, how they were diagnosed."""

from dataclasses import dataclass

import numpy as np

from skinlesion.drawing.image import Appearance

SITES = (
    "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand", "lower extremity", "neck", "scalp",
    "trunk", "unknown", "upper extremity",
)  # fmt: skip


@dataclass(frozen=True)
class Cohort:
    """The lesions of one diagnosis in the sample."""

    dx: str
    lesions: int
    age: float  # mean, years
    dx_types: tuple[str, ...]  # a more frequent one is repeated
    appearance: Appearance


HISTO = ("histo",)
FOLLOWED = ("histo", "follow_up", "follow_up", "consensus")
BENIGN = ("histo", "histo", "consensus", "consensus", "confocal")

COHORTS = (
    Cohort("nv", 190, 45, FOLLOWED, Appearance(0.15, 0.03, 0.3, {"network": 0.8})),
    Cohort("mel", 55, 60, HISTO, Appearance(0.15, 0.17, 0.22, {"network": 0.3, "blotches": 0.95})),
    Cohort("bkl", 50, 65, BENIGN, Appearance(0.3, 0.07, 0.08, {"wax": 0.8, "dots": 1.0})),
    Cohort("bcc", 30, 65, HISTO, Appearance(0.75, 0.09, 0.3, {"ovoids": 0.9, "vessels": 1.0})),
    Cohort("akiec", 22, 65, HISTO, Appearance(0.75, 0.1, 0.7, {"scales": 1.0})),
    Cohort("vasc", 17, 50, BENIGN, Appearance(0.7, 0.05, 0.14, {"lacunae": 0.95})),
    Cohort("df", 16, 50, BENIGN, Appearance(0.3, 0.04, 0.5, {"network": 0.3, "scar": 1.0})),
)


def draw_patient(cohort: Cohort, seed: int, lesion: int) -> dict[str, str | float | None]:
    """Draw dx_type, age, sex and localization of a lesion, the same for the same arguments."""
    rng = np.random.default_rng([seed, lesion, 0, 1])  # drawings have seeds of two or three parts
    age = 5 * round(np.clip(rng.normal(cohort.age, 15), 5, 85) / 5)
    return {
        "dx_type": str(rng.choice(cohort.dx_types)),
        "age": float(age) if rng.random() > 0.04 else None,
        "sex": str(rng.choice(("male", "female", "unknown"), p=(0.53, 0.44, 0.03))),
        "localization": str(rng.choice(SITES)),
    }
