"""A backbone's weights from a file: the wrong backbone's, or a damaged one, is refused."""

import math
from collections import Counter

import h5py
import keras
import numpy as np

from skinlesion.errors import UserError

RECOMPUTED = {"interpolated_position_embeddings"}  # DINOv2 sizes them to the images, whatever the file has


def load_weights(network: keras.Model, path: str, name: str) -> None:
    """Load a Keras weights file (.weights.h5, or the older .h5) into `network`, in place.

    Args:
        network: as its constructor made it, since Keras finds weights by the layers' structure.
        name: of the backbone, for messages.

    Raises:
        UserError: the file is missing, damaged, or holds other arrays than the network; says what was expected and
            what found.
    """
    expected = [tuple(weight.shape) for weight in network.weights if weight.name not in RECOMPUTED]
    misfit = f"model.weights: {path} is no weights file of {name} without its classifier. Expected {in_words(expected)}"
    try:
        found = shapes_in(path)
    except FileNotFoundError:
        raise UserError(f"model.weights names {path}, which is missing") from None
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(f"{misfit}; found a file that cannot be read as HDF5: {error}") from None
    missing, beyond = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    if missing or beyond.total() > len(network.weights) - len(expected):
        raise UserError(f"{misfit}; found {in_words(found)}")
    try:
        network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{misfit}; found as many, but: {str(error).strip().splitlines()[0]}") from None
    broken = [weight.path for weight in network.weights if not np.isfinite(keras.ops.convert_to_numpy(weight)).all()]
    if broken:
        raise UserError(f"model.weights: {path} is damaged: {len(broken)} arrays hold no finite numbers: {broken[0]}")


def shapes_in(path: str) -> list[tuple[int, ...]]:
    """The shapes of all floating-point arrays of an HDF5 file. Keras keeps its random seeds beside them as integers."""
    found: list[tuple[int, ...]] = []

    def visit(_: str, entry: h5py.Dataset | h5py.Group) -> None:
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f":
            entry[()]  # a file cut short fails here
            found.append(entry.shape)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def in_words(shapes: list[tuple[int, ...]]) -> str:
    return f"{sum(math.prod(shape) for shape in shapes):,} parameters in {len(shapes)} arrays"
