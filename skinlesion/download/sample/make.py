"""The sample: a synthetic HAM10000, in its layout, drawn by code (no network, no account).

What is in it (ids, diagnoses, views per lesion, planted duplicates) is fixed; the seed decides how
it looks, and the patients. Columns and their values are those of HAM10000 (Tschandl et al.,
Sci Data 5, 180161); its class counts are copied in kind, not in number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from skinlesion.core.parallel import over_cores
from skinlesion.download.sample.drawing import Appearance, draw_image
from skinlesion.runtime.paths import RAW_METADATA

PARTS = ("HAM10000_images_part_1", "HAM10000_images_part_2")
JPEG_QUALITY = 92

SITES = (
    "abdomen",
    "acral",
    "back",
    "chest",
    "ear",
    "face",
    "foot",
    "genital",
    "hand",
    "lower extremity",
    "neck",
    "scalp",
    "trunk",
    "unknown",
    "upper extremity",
)


@dataclass(frozen=True)
class Cohort:
    """One diagnosis in the sample: its lesions, their age, how they were diagnosed and look."""

    dx: str
    lesions: int
    age: float  # mean, years
    dx_types: tuple[str, ...]  # repeated where more frequent
    appearance: Appearance


HISTO = ("histo",)
BENIGN = ("histo", "histo", "consensus", "consensus", "confocal")

COHORTS = (
    Cohort("nv", 190, 45, ("histo", "follow_up", "follow_up", "consensus"),
           Appearance(0.15, 0.03, 0.3, {"network": 0.8})),
    Cohort("mel", 55, 60, HISTO,
           Appearance(0.15, 0.17, 0.22, {"network": 0.3, "blotches": 0.95})),
    Cohort("bkl", 50, 65, BENIGN,
           Appearance(0.3, 0.07, 0.08, {"wax": 0.8, "dots": 1.0})),
    Cohort("bcc", 30, 65, HISTO,
           Appearance(0.75, 0.09, 0.3, {"ovoids": 0.9, "vessels": 1.0})),
    Cohort("akiec", 22, 65, HISTO,
           Appearance(0.75, 0.1, 0.7, {"scales": 1.0})),
    Cohort("vasc", 17, 50, BENIGN,
           Appearance(0.7, 0.05, 0.14, {"lacunae": 0.95})),
    Cohort("df", 16, 50, BENIGN,
           Appearance(0.3, 0.04, 0.5, {"network": 0.3, "scar": 1.0})),
)  # fmt: skip

# Every fourth lesion was photographed several times: this often, in turn.
SEVERAL_VIEWS = (2, 3, 2, 4, 2, 2)

# One physical lesion under two numbers (places in the table of lesions), as found in HAM10000: the
# second is drawn as the first, from view SECOND_VISIT on.
PLANTED = ((12, 140), (57, 101), (193, 230), (251, 289))
SECOND_VISIT = 10

# Ids are dealt out in strides prime to the counts, so that neighbours in id, and each part, mix the
# classes.
LESION_STRIDE = 147
IMAGE_STRIDE = 197


@dataclass(frozen=True)
class View:
    """One image of the sample: its ids, its cohort and what is drawn."""

    image_id: str
    lesion_id: str
    cohort: Cohort
    physical: int
    number: int


def make_sample(target: Path, seed: int) -> None:
    """Write the sample into the existing empty folder `target`, in HAM10000's layout.

    Two folders of JPEG images (200 x 150 px, RGB), half of them each, and the metadata CSV.
    """
    views = sample_views()
    for part in PARTS:
        (target / part).mkdir()
    metadata = pd.DataFrame(metadata_row(view, seed) for view in views)
    metadata.to_csv(target / RAW_METADATA.name, index=False)
    half = (len(views) + 1) // 2

    def write(number: int) -> None:
        path = target / PARTS[number // half] / f"{views[number].image_id}.jpg"
        path.write_bytes(draw_jpeg(views[number], seed))

    over_cores(write, range(len(views)), "drawing the sample")


def sample_views() -> list[View]:
    """List the sample's images in the order of their ids; the same for every seed."""
    lesions = [cohort for cohort in COHORTS for _ in range(cohort.lesions)]
    first_visits = {second: first for first, second in PLANTED}
    drawn = [
        (
            place,
            cohort,
            first_visits.get(place, place),
            SECOND_VISIT * (place in first_visits) + number,
        )
        for place, cohort in enumerate(lesions)
        for number in range(_view_count(place))
    ]
    views = [
        View(
            image_id=f"SYN_{1 + n * IMAGE_STRIDE % len(drawn):07d}",
            lesion_id=f"SYNL_{1 + place * LESION_STRIDE % len(lesions):06d}",
            cohort=cohort,
            physical=physical,
            number=number,
        )
        for n, (place, cohort, physical, number) in enumerate(drawn)
    ]
    return sorted(views, key=lambda view: view.image_id)


def draw_jpeg(view: View, seed: int) -> bytes:
    """Draw one image of the sample, independently of the others, as the bytes of its file."""
    image = draw_image(view.cohort.appearance, seed, view.physical, view.number)
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def planted_duplicates() -> Iterator[tuple[str, str]]:
    """Yield the image ids of each planted pair: the first view under either lesion_id."""
    views = sample_views()
    for first, _ in PLANTED:
        pair = [v.image_id for v in views if v.physical == first and v.number in (0, SECOND_VISIT)]
        yield pair[0], pair[1]


def metadata_row(view: View, seed: int) -> dict[str, str | float | None]:
    """One line of the metadata; it hangs on the physical lesion, so all its views agree."""
    rng = np.random.default_rng([seed, view.physical, 0, 1])  # no drawing's seed has four parts
    age = 5 * round(np.clip(rng.normal(view.cohort.age, 15), 5, 85) / 5)
    return {
        "lesion_id": view.lesion_id,
        "image_id": view.image_id,
        "dx": view.cohort.dx,
        "dx_type": str(rng.choice(view.cohort.dx_types)),
        "age": float(age) if rng.random() > 0.04 else None,
        "sex": str(rng.choice(("male", "female", "unknown"), p=(0.53, 0.44, 0.03))),
        "localization": str(rng.choice(SITES)),
    }


def _view_count(place: int) -> int:
    """Number of images of the lesion at `place` in the table."""
    if place % 4:
        return 1
    return SEVERAL_VIEWS[place // 4 % len(SEVERAL_VIEWS)]
