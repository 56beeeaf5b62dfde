"""CPU time per image and peak memory of the data stages and one epoch's input, from 2,000 to 224,000 images at 64 px.

2,000 drawn images are repeated, each time with another crop, light and grain, as JPEG files in HAM10000's layout. Each
step runs in a process of its own: merge (every image to a square, and the table), the search for near duplicates,
balance (copies to 1.4 times the mean size of a class), and the input of one epoch of training (all originals read into
one array, hashed, and gathered in batches of 32). Files lie in memory where the system has a place for that (/dev/shm).
The figure is the CPU time of all steps, by all cores, which other work on the machine changes less than it changes wall
time; where it grows as the number of images, the figure stays the same.
"""

import hashlib
import importlib
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from benchmarks import once
from benchmarks.data_stages import DATA, IN_MEMORY, OPERATIONS
from skinlesion.balance import plan
from skinlesion.core import arrays, tables
from skinlesion.core.parallel import map_parallel
from skinlesion.drawing.cohorts import COHORTS
from skinlesion.drawing.image import draw_image, encode_jpeg
from skinlesion.merge import merge
from skinlesion.model import dataset
from skinlesion.runtime.params.sections import Balance, Images

UNIT = "ms of CPU per image"
LESS = True
ROUNDS = 1
DRAWN = 2_000
SIZE, BATCH = 64, 32
MARGIN = 8  # px, by which crops differ
GROWTH = 1.4  # of HAM10000, balanced to 2,000 images of each class


def repeat_drawings(folder: Path, count: int) -> None:
    """Write `count` JPEG files and their metadata into `folder`."""
    part = folder / "raw" / "HAM10000_images_part_1"
    part.mkdir(parents=True)
    sizes = np.array([cohort.lesions for cohort in COHORTS])
    cohorts = [*range(len(COHORTS)), *np.random.default_rng(0).choice(len(COHORTS), DRAWN, p=sizes / sizes.sum())]

    def write(lesion: int) -> None:
        image = draw_image(COHORTS[cohorts[lesion]].appearance, 0, lesion, 0)
        image = cv2.resize(image, (SIZE + MARGIN, SIZE + MARGIN), interpolation=cv2.INTER_AREA)
        for number in range(lesion, count, DRAWN):
            random = np.random.default_rng(number)
            top, left = random.integers(0, MARGIN + 1, 2)
            crop = image[top : top + SIZE, left : left + SIZE] * random.uniform(0.9, 1.1)
            grainy = crop + random.normal(0, 2, crop.shape)
            (part / f"SYN_{number:07d}.jpg").write_bytes(encode_jpeg(grainy.clip(0, 255).astype(np.uint8)))

    map_parallel(write, range(DRAWN), "drawing")
    codes = [COHORTS[cohorts[number % DRAWN]].dx for number in range(count)]
    ids = [f"{number:07d}" for number in range(count)]
    rows = {"lesion_id": [f"SYNL_{i}" for i in ids], "image_id": [f"SYN_{i}" for i in ids], "dx": codes}
    rows |= {"dx_type": "histo", "age": 45.0, "sex": "female", "localization": "back"}
    pd.DataFrame(rows).to_csv(folder / "raw" / "HAM10000_metadata.csv", index=False)


def merge_images(folder: Path) -> None:
    (folder / "merged").mkdir()
    merge.merge(folder / "raw", folder / "merged", DATA, Images(size=SIZE, fit="stretch"))


def find_near_duplicates(folder: Path) -> None:
    merge.find_near_pairs(tables.read(folder / "merged" / "metadata.csv"), folder / "merged" / "images")


def balance(folder: Path) -> None:
    table, target = tables.read(folder / "merged" / "metadata.csv"), folder / "balanced"
    params = Balance(seed=17, per_class=int(GROWTH * len(table) / len(COHORTS)), operations=OPERATIONS)
    plan.make_copies(plan.plan(table, folder / "merged" / "images", target / "images", params), target, target)


def read_epoch(folder: Path) -> None:
    from skinlesion.train.batches import Batches  # loads Keras: measure_step has done so before

    images = dataset.read_images(sorted(map(str, (folder / "merged" / "images").iterdir())), "loading")
    digest = hashlib.sha256()
    for part in arrays.iterate_parts(images):
        digest.update(part)
    batches = Batches(images, np.zeros(len(images), int), BATCH, seed=17)
    for index in range(len(batches)):
        batches[index]


STEPS = {"merge": merge_images, "near duplicates": find_near_duplicates, "balance": balance, "input": read_epoch}


def measure_step(step: Callable[[Path], None], folder: Path) -> tuple[float, float, float]:
    """Run a step; return its wall time and CPU time in s, and the peak memory of this process in GB."""
    if step is read_epoch:
        importlib.import_module("skinlesion.train.batches")
    start, cpu = time.perf_counter(), time.process_time()
    step(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * once.KIB / 1e9
    return time.perf_counter() - start, time.process_time() - cpu, peak


def measure(count: int) -> dict:
    total, parts = 0.0, {}
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as name:
        in_new_process(repeat_drawings, Path(name), count)  # Linux hands the peak of a process on to its children
        for title, step in STEPS.items():
            wall, cpu, peak = in_new_process(measure_step, step, Path(name))
            total += cpu
            parts[title] = f"{wall:.0f} s ({cpu:.0f} s of CPU) and {peak:.2f} GB"
    return {"value": 1000 * total / count, **parts}


def in_new_process(function: Callable, *arguments: object) -> Any:
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    f"{count:,} images": partial(measure, count) for count in (2_000, 14_000, 56_000, 224_000)
}
TARGETS: list[tuple[str, str, float]] = [("224,000 images", "14,000 images", 1.2)]

if __name__ == "__main__":
    once.main(VARIANTS)
