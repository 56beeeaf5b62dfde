"""Backbones: image networks without their classifier, built from a row of `backbones` in params.yaml."""

import importlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from skinlesion.model.backend import keras
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.messages import hint
from skinlesion.runtime.params.rows import Backbone
from skinlesion.train.network import weights as weights_file

WAYS_OUT = (
    "Two ways out: download the weights elsewhere and give the file as model.weights, "
    "or train from random weights with model.weights: null"
)


def make(row: Backbone, size: int, weights: str | None) -> keras.Model:
    """Build the sub-model `backbone`: scaled pixels (N, size, size, 3) to a feature map (N, h, w, channels).

    Args:
        weights: `imagenet`, None for random ones, or the path of a Keras weights file of this backbone.

    Raises:
        UserError: the constructor does not exist, ImageNet weights cannot be downloaded, or the file is missing or not
            this backbone's.
    """
    library, name = row.constructor.rsplit(".", 1)
    module = importlib.import_module(library)
    constructor = getattr(module, name, None)
    if constructor is None:
        raise UserError(f"backbones: {library} has no constructor {name!r}{hint(name, dir(module))}")
    network = LIBRARIES[library](constructor, row, (size, size, 3), weights == "imagenet")
    if weights is None:
        follow_quickly(network)
    elif weights != "imagenet":
        weights_file.load(network, Path(weights), name)
    features = network.output if row.class_tokens is None else patches(network.output, row, size)
    # The layers stay the network's own, in its own order, so that a configuration can name them by number.
    return keras.Model(network.inputs[0], features, name="backbone")


def follow_quickly(network: keras.Model) -> None:
    """Let the moving statistics of random weights follow within tens of steps, as PyTorch's do (its momentum 0.1).

    Keras' 0.99 takes hundreds: on a small set, a network that trains well is validated with the statistics of noise.
    """
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9


def patches(tokens: keras.KerasTensor, row: Backbone, size: int) -> keras.KerasTensor:
    """A transformer's tokens (N, class_tokens + side * side, channels) as a feature map (N, side, side, channels)."""
    side = size // row.multiple
    x = keras.layers.Cropping1D((row.class_tokens, 0), name="patch_tokens")(tokens)
    return keras.layers.Reshape((side, side, tokens.shape[-1]), name="feature_map")(x)


def from_applications(constructor: Callable, row: Backbone, shape: tuple[int, int, int], imagenet: bool) -> keras.Model:
    settings = {**row.arguments, "include_top": False, "input_shape": shape}
    if not imagenet:
        return constructor(weights=None, **settings)
    try:
        return constructor(weights=row.imagenet, **settings)
    except Exception as error:  # keras.utils.get_file raises a bare Exception, or a ValueError
        words = ("URL fetch failure", "file hash does not match")
        if not isinstance(error, (OSError, HTTPException)) and not any(word in str(error) for word in words):
            raise
        raise UserError(f"the ImageNet weights could not be downloaded: {error}. {WAYS_OUT}") from None


def from_hub(constructor: type, row: Backbone, shape: tuple[int, int, int], imagenet: bool) -> keras.Model:
    settings = {**row.arguments, "image_shape": shape, "name": "backbone"}
    if not imagenet:
        return constructor(**settings)
    try:
        # A preset carries its own dtype; the process' policy must win.
        return constructor.from_preset(row.imagenet, **settings, dtype=keras.config.dtype_policy().name)
    except Exception as error:  # kagglehub and requests raise many kinds
        network = f"{row.imagenet} could not be loaded into {constructor.__name__}"
        raise UserError(f"the pretrained weights {network}: {error}. {WAYS_OUT}") from None


LIBRARIES = {"keras.applications": from_applications, "keras_hub.models": from_hub}
