"""The second synthetic set: other lesions than the sample's, one view each, photographed with another camera."""

from io import BytesIO

import pandas as pd

from skinlesion.drawing.cohorts import COHORTS, draw_patient
from skinlesion.drawing.image import Camera, draw_image, encode_jpeg
from skinlesion.external.labelled import LabelledSet

CAMERA = Camera(cast=(1.08, 0.96, 0.84), vignette=0.6)
LESIONS = {"nv": 26, "mel": 16, "bkl": 14, "bcc": 12, "akiec": 12, "vasc": 10, "df": 10}
FIRST = 10_000  # number of the first lesion; the sample's are lower


def make(seed: int) -> LabelledSet:
    """Make the set; `seed` is the sample's."""
    cohorts = [cohort for cohort in COHORTS for _ in range(LESIONS[cohort.dx])]
    drawn = {f"EXT_{number:07d}": (cohort, FIRST + number) for number, cohort in enumerate(cohorts, 1)}
    rows = [
        {"image_id": image_id, "lesion_id": f"EXTL_{lesion:06d}", "dx": cohort.dx} | draw_patient(cohort, seed, lesion)
        for image_id, (cohort, lesion) in drawn.items()
    ]

    def draw(image_id: str) -> BytesIO:
        cohort, lesion = drawn[image_id]
        return BytesIO(encode_jpeg(draw_image(cohort.appearance, seed, lesion, 0, CAMERA)))

    return LabelledSet(pd.DataFrame(rows), draw)
