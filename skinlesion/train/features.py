"""A phase that trains the head alone: the backbone runs once per image, and the head trains on what it said.

The result is that of running the backbone in every epoch, but for the rounding of other batches.
"""

import numpy as np
from tqdm import tqdm

from skinlesion.model import arrays
from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Train

# Head layers without weights or chance: computed once, too, as they make the features smaller.
FIXED = (keras.layers.GlobalAveragePooling2D, keras.layers.MaxPooling2D, keras.layers.Flatten)


def fixed(classifier: keras.Model, phase: Phase, how: Train) -> bool:
    """Whether the backbone says the same of an image in every epoch of the phase."""
    by_chance = any(layer._seed_generators for layer in classifier.get_layer("backbone")._flatten_layers())
    return phase.train == "head" and how.augmentation is None and not by_chance


def split(classifier: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Images (N, S, S, 3) to features, and features to probabilities (N, 7): two models with the classifier's weights.

    Features are the feature map, or what the head's first layers of FIXED make of it.
    """
    preprocessing, backbone, head = (classifier.get_layer(part) for part in ("preprocessing", "backbone", "head"))
    taken, cut = [], head.layers[0]
    for layer in head.layers[1:]:
        if not isinstance(layer, FIXED) or len(cut._outbound_nodes) > 1:  # attention reads the feature map twice
            break
        taken.append(layer)
        cut = layer
    body = keras.Sequential([preprocessing, backbone, *taken])
    return body, keras.Model(cut.output, head.output, name="head_on_features")


def of(body: keras.Model, images: np.ndarray, batch_size: int, what: str) -> np.ndarray:
    """The features of images (N, S, S, 3), in the precision that the backbone computes in."""
    found: np.ndarray | None = None
    for start in tqdm(range(0, len(images), batch_size), f"features of {what}", unit="batch", disable=None):
        batch = body.predict_on_batch(images[start : start + batch_size])
        if found is None:
            found = arrays.empty((len(images), *batch.shape[1:]), batch.dtype)
        rows = slice(start, start + len(batch))
        found[rows] = batch
        for used in (images, found):
            arrays.drop(used[rows])
    return found
