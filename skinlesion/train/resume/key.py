"""Which kept progress belongs to a training: that of the same params, data, initial weights and code, and no other."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np

from skinlesion.model import arrays
from skinlesion.model.backend import keras
from skinlesion.runtime import paths
from skinlesion.runtime.params import Params
from skinlesion.train.callbacks import Diverged
from skinlesion.train.resume.progress import Progress

NAME = ".progress-{}.npz"
FORGOTTEN = 14 * 24 * 3600  # s: one that nobody has gone on with since
BACKENDS = {"tensorflow": "tensorflow", "jax": "jaxlib", "torch": "torch"}


@contextmanager
def kept_progress(key: str) -> Iterator[Progress]:
    """The training's progress: removed at the end of the block, and kept where that is killed or fails.

    Where the training diverged it is removed too: that would come again.
    """
    path = folder() / NAME.format(key)
    forget(path)
    try:
        yield Progress(path)
    except Diverged:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def folder() -> Path:
    """models/; for an experiment of DVC's queue, whose own folder goes when it is killed, that of the repository."""
    outer = (above.parent for above in Path.cwd().parents if above.name == ".dvc")
    return next(outer, Path()) / paths.MODEL.parent


def forget(path: Path) -> None:
    """Remove what trainings left that were never gone on with: each is three times the size of its model or more."""
    for other in path.parent.glob(NAME.format("*")):
        with suppress(FileNotFoundError):  # another training was quicker
            if other != path and time.time() - other.stat().st_mtime > FORGOTTEN:
                other.unlink()


def key_of(settings: Params, model: keras.Model, data: Iterable[np.ndarray], **machine: str) -> str:
    """Equal for equal trainings alone.

    Args:
        model: as built, with the weights that training starts from.
        data: images and labels, of training and of validation.
        machine: what else the numbers hang on, such as device and precision.
    """
    backend = BACKENDS[keras.backend.backend()]
    document = {
        **settings.model_dump(mode="json", include={"seed", "images", "model", "train"}),
        "rows": [row.model_dump(mode="json") for row in (settings.backbone, *settings.head, *settings.phases)],
        "versions": {name: version(name) for name in ("keras", "keras-hub", "numpy", backend)},
        **machine,
    }
    digest = hashlib.blake2b(json.dumps(document).encode(), digest_size=8)
    for array in (*model.get_weights(), *data):
        digest.update(f"{array.shape} {array.dtype}".encode())
        for part in arrays.parts(np.ascontiguousarray(array)):
            digest.update(part.data)
    package = Path(__file__).parents[2]
    for room in ("core", "model", "train"):
        for file in sorted((package / room).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()
