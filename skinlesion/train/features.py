"""A phase that trains the head alone: the frozen backbone runs once per image, and the head trains on its features.

The result equals that of running the backbone in every epoch, apart from the rounding of other batch sizes.
"""

import numpy as np
from tqdm import tqdm

from skinlesion.model import arrays
from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Train

# Head layers without weights or randomness: computed once too, because they make the features smaller.
FIXED = (keras.layers.GlobalAveragePooling2D, keras.layers.MaxPooling2D, keras.layers.Flatten)


def are_fixed(classifier: keras.Model, phase: Phase, params: Train) -> bool:
    """Whether an image has the same features in every epoch of the phase."""
    backbone = classifier.get_layer("backbone")
    is_random = len(backbone.variables) > len(backbone.weights)  # the former include random seeds
    return phase.train == "head" and params.augmentation is None and params.mix is None and not is_random


def split(classifier: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Two models that share the weights: images (N, S, S, 3) to features, and features to probabilities (N, 7).

    Features are the feature map, or the output of the head's first layers of FIXED.
    """
    preprocessing, backbone, head = (classifier.get_layer(part) for part in ("preprocessing", "backbone", "head"))
    inputs = [keras.tree.flatten(layer.input) for layer in head.layers[1:]]
    fixed, cut = [], head.layers[0]
    for layer in head.layers[1:]:
        readers = sum(any(tensor is cut.output for tensor in tensors) for tensors in inputs)
        if not isinstance(layer, FIXED) or readers > 1:  # attention reads the feature map twice
            break
        fixed.append(layer)
        cut = layer
    body = keras.Sequential([preprocessing, backbone, *fixed])
    return body, keras.Model(cut.output, head.output, name="head_on_features")


def extract(body: keras.Model, images: np.ndarray, batch_size: int, split: str) -> np.ndarray:
    """The features of images (N, S, S, 3), in the precision of the backbone; `split` is for the progress bar."""
    features: np.ndarray | None = None
    for start in tqdm(range(0, len(images), batch_size), f"features of {split}", unit="batch", disable=None):
        batch = body.predict_on_batch(images[start : start + batch_size])
        if features is None:
            features = arrays.allocate((len(images), *batch.shape[1:]), batch.dtype)
        rows = slice(start, start + len(batch))
        features[rows] = batch
        for array in (images, features):
            arrays.release(array[rows])
    return features
