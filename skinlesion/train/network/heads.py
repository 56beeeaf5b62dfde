"""Heads: from a backbone's feature map to the seven probabilities, built from a row of `heads` in params.yaml."""

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import HeadLayer
from skinlesion.train.network.attention import ATTENTIONS

layers = keras.layers
LAYERS = {
    "average_pool": lambda _: layers.GlobalAveragePooling2D(),
    "max_pool": lambda size: layers.MaxPooling2D(size, padding="same"),
    "flatten": lambda _: layers.Flatten(),
    "batch_norm": lambda _: layers.BatchNormalization(),
    "dropout": layers.Dropout,
    "dense": lambda units: layers.Dense(units, activation="relu", kernel_initializer="he_normal"),
    "conv": lambda filters: layers.Conv2D(filters, 3, padding="same", activation="relu"),
}


def make(head: list[HeadLayer], features: tuple[int, int, int], attention: str = "none") -> keras.Model:
    """Build the sub-model `head`: a feature map (N, *features) to probabilities (N, 7) in float32, as CODES.

    Args:
        attention: a row of ATTENTIONS; it acts on the feature map, before the head's first layer.
    """
    inputs = keras.Input(features, name="features")
    x = ATTENTIONS[attention](inputs)
    for layer in head:
        x = LAYERS[layer.kind](layer.value)(x)
    x = layers.Dense(len(CODES), activation="softmax", dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name="head")
