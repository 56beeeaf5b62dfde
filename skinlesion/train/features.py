"""A phase that trains the head alone: the frozen backbone runs once per image, and the head trains on its features.

The result equals that of running the backbone in every epoch, apart from rounding: batches have another size, and the
fused kernels of a training are not used.
"""

from itertools import takewhile

import numpy as np
from tqdm import tqdm

from skinlesion.core import arrays
from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Train
from skinlesion.train.machine.distribution import Predictor

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
    # Attention begins with the layer `squeeze`, and reads the feature map a second time later.
    fixed = list(takewhile(lambda layer: isinstance(layer, FIXED) and layer.name != "squeeze", head.layers[1:]))
    body = keras.Sequential([preprocessing, backbone, *fixed])
    return body, keras.Model(head.layers[len(fixed)].output, head.output, name="head_on_features")


def extract(body: keras.Model | Predictor, images: np.ndarray, batch_size: int, split: str) -> np.ndarray:
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
