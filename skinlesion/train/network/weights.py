"""A backbone's weights from a file. A damaged file, or one of another network, is refused."""

import warnings
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import h5py
import numpy as np

from skinlesion.model.backend import keras
from skinlesion.model.model_file import first_sentence
from skinlesion.runtime.errors import UserError, listing
from skinlesion.train.network.torch_file import read_state

RECOMPUTED = {"interpolated_position_embeddings"}  # keras-hub resizes DINOv2's to the images, whatever the file holds
Shapes = list[tuple[int, ...]]


def load(network: keras.Model, path: Path, name: str) -> None:
    """Load a Keras weights file (.weights.h5, or the older .h5) into `network`, in place.

    Args:
        network: as its constructor made it, since Keras finds weights by the layers' structure.
        name: of the backbone, for messages.

    Raises:
        UserError: the file is missing, damaged, or holds other arrays than the network.
    """
    expected = [tuple(weight.shape) for weight in network.weights if weight.name not in RECOMPUTED]
    stored = read_shapes(path)
    remedy = f"Give a weights file of {name} without its classifier"
    missing, beyond = Counter(expected) - Counter(stored), Counter(stored) - Counter(expected)
    if missing or beyond.total() > len(network.weights) - len(expected):
        counts = f"holds {count_weights(stored)}, but {name} has {count_weights(expected)}"
        raise UserError(f"model.weights: {path} {counts}. {remedy}")
    try:
        with warnings.catch_warnings(action="ignore"):  # Keras warns of each layer that a wrong file lacks, then raises
            network.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"model.weights: {path} does not match {name}: {first_sentence(error)}. {remedy}") from None
    broken = [weight.path for weight in network.weights if not np.isfinite(keras.ops.convert_to_numpy(weight)).all()]
    if broken:
        raise UserError(f"model.weights: {path} has NaN or infinite numbers in {listing(broken)}. Save it again")


def read_shapes(path: Path) -> Shapes:
    """The shapes of all floating-point arrays of an HDF5 file; Keras stores random seeds beside them as integers."""
    shapes: Shapes = []

    def visit(_: str, entry: h5py.Dataset | h5py.Group) -> None:
        if isinstance(entry, h5py.Dataset) and entry.dtype.kind == "f":
            entry[()]  # a truncated file fails here
            shapes.append(entry.shape)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except FileNotFoundError:
        remedy = "Set imagenet, null, or the path of a weights file"
        raise UserError(f"model.weights: {path} is missing. {remedy}") from None
    except (OSError, RuntimeError, KeyError) as error:
        remedy = "Give a whole Keras weights file (.weights.h5 or .h5)"
        raise UserError(f"model.weights: {path} cannot be read: {error}. {remedy}") from None
    return shapes


def count_weights(shapes: Shapes) -> str:
    return f"{sum(int(np.prod(shape)) for shape in shapes):,} parameters in {len(shapes)} arrays"


def load_torch(network: keras.Model, path: Path) -> None:
    """Load the state dict of a PyTorch model with the same layers in the same order into `network`, in place.

    Its classifier and its counts of batches are left out.

    Raises:
        UserError: the file cannot be read, or holds other arrays than the network.
    """
    state = read_state(path)
    arrays = [array for name, array in state.items() if not name.startswith("_fc.") and array.dtype.kind == "f"]
    depthwise = {id(layer.kernel) for layer in network.layers if isinstance(layer, keras.layers.DepthwiseConv2D)}
    for weight, array in zip_longest(network.weights, arrays):
        axes = (2, 3, 0, 1) if id(weight) in depthwise else (2, 3, 1, 0)  # from (out, in, height, width)
        values = array.transpose(axes) if np.ndim(array) == 4 else array
        if weight is None or np.shape(values) != weight.shape:
            raise UserError(f"model.weights: {path} has other layers than {network.name}. Install its package again")
        weight.assign(values)
