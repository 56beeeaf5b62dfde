"""Heads: from a backbone's feature map to the seven probabilities, by a row of `heads` in networks.yaml.

`model.attention` weighs the feature map before.
"""

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import HeadLayer

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
SE_RATIO = 16  # the paper's; the published systems use it too


def squeeze_excite(features: keras.KerasTensor) -> keras.KerasTensor:
    """Multiply each channel of (N, h, w, c) by a weight in (0, 1) computed from the means of all channels.

    Source: Hu, Shen, Sun, Squeeze-and-Excitation Networks, CVPR 2018.
    """
    channels = features.shape[-1]
    x = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(features)
    x = layers.Dense(max(1, channels // SE_RATIO), activation="relu", name="excite_reduce")(x)
    x = layers.Dense(channels, activation="sigmoid", name="excite")(x)
    return layers.Multiply(name="scale")([features, x])


ATTENTIONS = {"none": lambda features: features, "se": squeeze_excite}


def build_head(head: list[HeadLayer], features: tuple[int, int, int], attention: str = "none") -> keras.Model:
    """Build the sub-model `head`: a feature map (N, *features) to probabilities (N, 7) in float32, as CODES.

    Args:
        attention: a row of ATTENTIONS, applied to the feature map before the head's first layer.
    """
    inputs = keras.Input(features, name="features")
    x = ATTENTIONS[attention](inputs)
    for layer in head:
        x = LAYERS[layer.kind](layer.value)(x)
    x = layers.Dense(len(CODES), activation="softmax", dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name="head")
