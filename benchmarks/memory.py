"""Peak memory of the stage train, ResNet50 at 128 px, batch 32, precision auto: what it loads, reads and keeps.

So many images are synthetic files, of which train has 80% and validation 10%. All are decoded into arrays, hashed for
the key of the progress, and gathered in batches as an epoch does; training and validation see the first of them.
"""

import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import once
from skinlesion.core import images
from skinlesion.model import dataset
from skinlesion.runtime import params

UNIT = "GB"
LESS = True
ROUNDS = 1
SIDE = 128
FILES = 64  # different ones; their paths are repeated
TRAINED, VALIDATED = 160, 64  # images: five steps
LIMIT = 3.0  # GB: what docs/performance.md states


def peak(count: int) -> dict:
    from skinlesion.train.batches import Batches
    from skinlesion.train.fit import fit
    from skinlesion.train.machine import devices
    from skinlesion.train.network.build import build
    from skinlesion.train.resume import key
    from skinlesion.train.resume.progress import Progress

    settings = with_values(params.load())
    precision = devices.choose_precision("auto", devices.choose("cpu"))
    with tempfile.TemporaryDirectory() as name:
        files = write(Path(name))
        train, validation = (
            (dataset.read_images([files[number % FILES] for number in range(size)], "loading"), np.arange(size) % 7)
            for size in (count * 8 // 10, count // 10)
        )
        model = build(settings.backbone, settings.head, SIDE, None, precision)
        key.hash_training(settings, model, (*train, *validation), device="cpu", precision=precision)
        batches = Batches(*train, settings.train.batch_size, settings.seed)
        for index in range(len(batches)):
            batches[index]
        first, checked = ((x[:size], y[:size]) for (x, y), size in ((train, TRAINED), (validation, VALIDATED)))
        fit(model, first, checked, settings.phases, settings.train, settings.seed, Progress(Path(name) / "kept.npz"))
    value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * once.KIB / 1e9
    return {"value": value, "precision": precision}


def with_values(settings: params.Params) -> params.Params:
    """The params of ResNet50 in configuration A, for one epoch."""
    content = settings.model_dump(mode="json", exclude_unset=True)
    content["images"]["size"] = SIDE
    content["model"] |= {"backbone": "resnet50", "configuration": "A"}
    content["train"] |= {"batch_size": 32, "max_epochs": 1}
    return params.Params.model_validate(content)


def write(folder: Path) -> list[str]:
    random = np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(FILES)]
    for file in files:
        images.write_png(file, random.integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    return [str(file) for file in files]


def of(count: int) -> Callable[[], dict]:
    return lambda: peak(count)


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    "2,000 images": of(2_000),
    "14,000 images": of(14_000),
    "56,000 images": of(56_000),
    "the stated limit": lambda: LIMIT,
}
TARGETS: list[tuple[str, str, float]] = [
    ("14,000 images", "the stated limit", 1.0),
    ("56,000 images", "the stated limit", 1.1),
]

if __name__ == "__main__":
    once.main(VARIANTS)
