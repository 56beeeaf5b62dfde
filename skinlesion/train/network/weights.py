"""A backbone's weights from a file: the wrong backbone's, or a damaged one, is refused."""

import warnings
from collections import Counter
from pathlib import Path

import h5py
import numpy as np

from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError

RECOMPUTED = {"interpolated_position_embeddings"}  # DINOv2 sizes them to the images, whatever the file has


def load(network: keras.Model, path: Path, name: str) -> None:
    """Load a Keras weights file (.weights.h5, or the older .h5) into `network`, in place.

    Args:
        network: as its constructor made it, since Keras finds weights by the layers' structure.
        name: of the backbone, for messages.

    Raises:
        UserError: the file is missing, damaged, or holds other arrays than the network; says what was expected and
            what found.
    """
    expected = [tuple(weight.shape) for weight in network.weights if weight.name not in RECOMPUTED]
    found = shapes_in(path)
    missing, beyond = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if missing or beyond.total() > len(network.weights) - len(expected):
        raise UserError(
            f"model.weights: {path} is no weights file of {name} without its classifier. "
            f"Expected {in_words(expected)}; found {in_words(found)}"
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # Keras warns of each layer that a wrong file lacks, then raises
            network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"model.weights: {path} does not fit {name} without its classifier: {reason}") from None
    broken = [weight.path for weight in network.weights if not np.isfinite(keras.ops.convert_to_numpy(weight)).all()]
    if broken:
        raise UserError(f"model.weights: {path} is damaged: {len(broken)} arrays hold no finite numbers, {broken[0]}")


def shapes_in(path: Path) -> list[tuple[int, ...]]:
    """The shapes of all floating-point arrays of an HDF5 file. Keras keeps its random seeds beside them as integers."""
    found: list[tuple[int, ...]] = []

    def visit(_: str, entry: h5py.Dataset | h5py.Group) -> None:
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f":
            entry[()]  # a file cut short fails here
            found.append(entry.shape)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except FileNotFoundError:
        raise UserError(f"model.weights names {path}, which is missing") from None
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(
            f"model.weights: {path} cannot be read: {error}. Expected a whole Keras weights file (.weights.h5 or .h5)"
        ) from None
    return found


def in_words(shapes: list[tuple[int, ...]]) -> str:
    return f"{sum(int(np.prod(shape)) for shape in shapes):,} parameters in {len(shapes)} arrays"
