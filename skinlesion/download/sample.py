"""The sample: a synthetic HAM10000 in the layout of the real one, drawn by code without network or account.

Ids, diagnoses, views per lesion and planted duplicates are fixed; the seed sets the look of the images, and the
patients. Columns and values are those of HAM10000 (Tschandl et al., Sci Data 5, 180161); the classes are imbalanced in
the same order, with smaller counts.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skinlesion.core.parallel import map_parallel
from skinlesion.drawing.cohorts import COHORTS, Cohort, draw_patient
from skinlesion.drawing.image import draw_image, encode_jpeg
from skinlesion.runtime.paths import RAW_METADATA

PARTS = ("HAM10000_images_part_1", "HAM10000_images_part_2")

SEVERAL_VIEWS = (2, 3, 2, 4, 2, 2)  # numbers of views of every fourth lesion, in turn; the others have one

# Pairs of lesion numbers that are one physical lesion, as some in HAM10000: the second is drawn as the first, with
# views from SECOND_VISIT on.
PLANTED = ((12, 140), (57, 101), (193, 230), (251, 289))
SECOND_VISIT = 10

# Steps between ids, coprime to the counts, so that neighbouring ids, and each part, mix the classes.
LESION_STRIDE, IMAGE_STRIDE = 147, 197


@dataclass(frozen=True)
class View:
    """One image of the sample."""

    image_id: str
    lesion_id: str
    cohort: Cohort
    physical: int  # number of the lesion that is drawn
    number: int  # of the view of that lesion


def make_sample(target: Path, seed: int) -> None:
    """Write the metadata CSV and two folders with half of the JPEG images (200 x 150 px) each into `target`."""
    views = sample_views()
    for part in PARTS:
        (target / part).mkdir()
    table = pd.DataFrame(metadata_row(view, seed) for view in views)
    table.to_csv(target / RAW_METADATA.name, index=False, lineterminator="\n")
    half = (len(views) + 1) // 2

    def write(number: int) -> None:
        path = target / PARTS[number // half] / f"{views[number].image_id}.jpg"
        path.write_bytes(draw_jpeg(views[number], seed))

    map_parallel(write, range(len(views)), "drawing the sample")


def sample_views() -> list[View]:
    """List the sample's images in the order of their ids; the same for every seed."""
    lesions = [cohort for cohort in COHORTS for _ in range(cohort.lesions)]
    counts = [1 if lesion % 4 else SEVERAL_VIEWS[lesion // 4 % len(SEVERAL_VIEWS)] for lesion in range(len(lesions))]
    pairs = [(lesion, number) for lesion, count in enumerate(counts) for number in range(count)]
    first_visits = {second: first for first, second in PLANTED}
    views = [
        View(
            image_id=f"SYN_{1 + position * IMAGE_STRIDE % len(pairs):07d}",
            lesion_id=f"SYNL_{1 + lesion * LESION_STRIDE % len(lesions):06d}",
            cohort=lesions[lesion],
            physical=first_visits.get(lesion, lesion),
            number=number + SECOND_VISIT * (lesion in first_visits),
        )
        for position, (lesion, number) in enumerate(pairs)
    ]
    return sorted(views, key=lambda view: view.image_id)


def draw_jpeg(view: View, seed: int) -> bytes:
    """Draw one image of the sample, independently of the others; return the bytes of its JPEG file."""
    return encode_jpeg(draw_image(view.cohort.appearance, seed, view.physical, view.number))


def metadata_row(view: View, seed: int) -> dict[str, str | float | None]:
    """Return the metadata of one image. They depend on the seed and the physical lesion only: its views agree."""
    ids = {"lesion_id": view.lesion_id, "image_id": view.image_id, "dx": view.cohort.dx}
    return ids | draw_patient(view.cohort, seed, view.physical)
