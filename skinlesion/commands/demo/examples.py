"""Pictures to try the page with: drawn by code, one of each class, and so nobody's skin."""

from pathlib import Path

from skinlesion.core import images
from skinlesion.core.ham10000 import DIAGNOSES
from skinlesion.download.sample.drawing import draw_image
from skinlesion.download.sample.make import COHORTS

SEED = 2018  # not the sample's: a model that was trained on the sample has not seen them
LESIONS = range(len(COHORTS))


def draw(folder: Path) -> list[tuple[Path, str]]:
    """Write the pictures (PNG) into an existing folder; gives each file with its diagnosis' name."""
    names = {diagnosis.code: diagnosis.name for diagnosis in DIAGNOSES}
    drawn = []
    for lesion, cohort in zip(LESIONS, COHORTS, strict=True):
        path = folder / f"{cohort.dx}.png"
        images.write_png(path, draw_image(cohort.appearance, SEED, lesion, 0))
        drawn.append((path, names[cohort.dx]))
    return drawn
