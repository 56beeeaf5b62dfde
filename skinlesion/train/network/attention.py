"""Attention on the feature map, between backbone and head: one row per `model.attention` of params.yaml."""

from skinlesion.model.backend import keras

SE_RATIO = 16  # the paper's; the published systems use it too


def none(features: keras.KerasTensor) -> keras.KerasTensor:
    """The features as they are."""
    return features


def squeeze_excite(features: keras.KerasTensor) -> keras.KerasTensor:
    """Weigh each channel by a number in (0, 1) drawn from all channels' means: (N, h, w, c) to the same.

    Source: Hu, Shen, Sun, Squeeze-and-Excitation Networks, CVPR 2018.
    """
    channels = features.shape[-1]
    x = keras.layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(features)
    x = keras.layers.Dense(max(1, channels // SE_RATIO), activation="relu", name="excite_reduce")(x)
    x = keras.layers.Dense(channels, activation="sigmoid", name="excite")(x)
    return keras.layers.Multiply(name="scale")([features, x])


ATTENTIONS = {"none": none, "se": squeeze_excite}
