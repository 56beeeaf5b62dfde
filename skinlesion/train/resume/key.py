"""Which stored progress belongs to a training: that of the same params, data, weights, code and machine."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np

from skinlesion.core import arrays
from skinlesion.model.backend import keras
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import Params
from skinlesion.train.callbacks import Diverged
from skinlesion.train.machine import backends
from skinlesion.train.machine.distribution import SINGLE_DEVICE, Distribution
from skinlesion.train.resume.progress import Progress

NAME = ".progress-{}.npz"
EXPIRY = 14 * 24 * 3600  # s: checkpoints unused for 14 days are deleted
CODE = tuple(Path(__file__).parents[2] / room for room in ("core", "model", "train"))  # what a training runs


@contextmanager
def kept_progress(key: str, distribution: Distribution = SINGLE_DEVICE) -> Iterator[Progress]:
    """The training's progress. Its file is deleted at the end of the block, and kept if the block is killed or fails.

    It is deleted too if the training diverged, because it would diverge again. Of several processes the first one alone
    has the file. Raises UserError if `key` is not that of process 0.
    """
    if distribution.broadcast(key.encode()) != key.encode():
        fault = f"Process {distribution.index} has other params, data, code, weights or kind of CPU than process 0"
        raise UserError(f"{fault}. Give all hosts the same commit and data on one kind of machine, and start all again")
    if distribution.index:
        yield Progress(distribution=distribution)
        return
    path = models_folder() / NAME.format(key)
    for other in path.parent.glob(NAME.format("*")):  # each is at least three times as large as its model
        with suppress(FileNotFoundError):  # another training has deleted it
            if other != path and time.time() - other.stat().st_mtime > EXPIRY:
                other.unlink()
    try:
        yield Progress(path, distribution)
    except Diverged:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def models_folder() -> Path:
    """models/. In DVC's queue it is that of the repository, because the folder of a killed experiment is deleted."""
    outer = (above.parent for above in Path.cwd().parents if above.name == ".dvc")
    return next(outer, Path()) / paths.MODEL.parent


def hash_training(settings: Params, model: keras.Model, data: Iterable[np.ndarray], **machine: str) -> str:
    """A hash that is equal only for identical trainings.

    Args:
        model: as built, with the weights that training starts from.
        data: images and labels, of training and of validation.
        machine: what else the results depend on, such as device and precision.
    """
    document = {
        **settings.model_dump(mode="json", include={"seed", "images", "model", "train"}),
        "rows": [row.model_dump(mode="json") for row in (settings.backbone, *settings.head, *settings.phases)],
        "versions": {name: version(name) for name in ("keras", "keras-hub", "numpy", backends.current.package)},
        **machine,
    }
    digest = hashlib.blake2b(json.dumps(document).encode(), digest_size=8)
    for array in (*model.get_weights(), *data):
        digest.update(f"{array.shape} {array.dtype}".encode())
        for part in arrays.iterate_parts(np.ascontiguousarray(array)):
            digest.update(part.data)
    for room in CODE:
        for file in sorted(room.rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
