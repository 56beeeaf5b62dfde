"""Backbones: image networks without their classifier, built from a row of `backbones` in networks.yaml."""

import importlib
import inspect
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from skinlesion.model.backend import keras
from skinlesion.model.model_file import first_sentence
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.messages import hint
from skinlesion.runtime.params.rows import Backbone
from skinlesion.runtime.pretrained import PYPI, find_package_weights
from skinlesion.train.machine.private_names import all_layers
from skinlesion.train.network import weights as weights_file

REMEDY = (
    "Download them on another machine and set model.weights to the file, "
    "or set model.weights: null to start from random weights"
)


def build_backbone(row: Backbone, size: int, weights: str | None) -> keras.Model:
    """Build the sub-model `backbone`: scaled pixels (N, size, size, 3) to a feature map (N, h, w, channels).

    Args:
        weights: `imagenet`, None for random ones, or the path of a Keras weights file of this backbone.

    Raises:
        UserError: the constructor does not exist, ImageNet weights cannot be downloaded, or the file is missing or is
            not of this backbone.
    """
    library, name = row.constructor.rsplit(".", 1)
    module = importlib.import_module(library)
    constructor = getattr(module, name, None)
    if constructor is None:
        raise UserError(f"networks.yaml: backbones: {library} has no constructor {name!r}{hint(name, dir(module))}")
    network = LIBRARIES[library](constructor, row, (size, size, 3), weights == "imagenet")
    if weights is None:
        lower_batchnorm_momentum(network)
    elif weights != "imagenet":
        weights_file.load(network, Path(weights).expanduser(), name)
    features = network.output if row.class_tokens is None else tokens_to_map(network.output, row, size)
    # The layers keep the network's own order, so that a configuration can name them by number.
    return keras.Model(network.inputs[0], features, name="backbone")


def lower_batchnorm_momentum(network: keras.Model) -> None:
    """Set the momentum of moving statistics to 0.9, PyTorch's default (0.1 there), for training from random weights.

    With Keras' 0.99 they need hundreds of steps to leave their initial values: on a small set, validation would use
    statistics that do not belong to the weights.
    """
    for layer in all_layers(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9


def tokens_to_map(tokens: keras.KerasTensor, row: Backbone, size: int) -> keras.KerasTensor:
    """A transformer's tokens (N, class_tokens + side * side, channels) as a feature map (N, side, side, channels)."""
    side = size // row.multiple
    x = keras.layers.Cropping1D((row.class_tokens, 0), name="patch_tokens")(tokens)
    return keras.layers.Reshape((side, side, tokens.shape[-1]), name="feature_map")(x)


def from_applications(constructor: Callable, row: Backbone, shape: tuple[int, int, int], imagenet: bool) -> keras.Model:
    weights = row.imagenet if imagenet else None
    settings = {**row.arguments, "weights": weights, "include_top": False, "input_shape": shape}
    try:
        return constructor(**settings)
    except Exception as error:  # keras.utils.get_file raises a bare Exception, or a ValueError
        is_download = any(words in str(error) for words in ("URL fetch failure", "file hash does not match"))
        if not imagenet or not (is_download or isinstance(error, (OSError, HTTPException))):
            raise
        raise UserError(f"model.weights: the ImageNet weights could not be downloaded: {error}. {REMEDY}") from None


def from_hub(constructor: type, row: Backbone, shape: tuple[int, int, int], imagenet: bool) -> keras.Model:
    size = "image_shape" if "image_shape" in inspect.signature(constructor).parameters else "input_shape"
    settings = {**row.arguments, size: shape, "name": "backbone"}
    if not imagenet:
        return constructor(**settings)
    if row.imagenet.startswith(PYPI):
        network = constructor(**settings)
        weights_file.load_torch(network, find_package_weights(row.imagenet))
        return network
    try:
        # A preset has a dtype of its own; without this argument it would override the process' dtype policy.
        return constructor.from_preset(row.imagenet, **settings, dtype=keras.config.dtype_policy().name)
    except Exception as error:  # kagglehub and requests raise many types
        fault = f"the pretrained weights {row.imagenet} could not be loaded into {constructor.__name__}"
        raise UserError(f"model.weights: {fault}: {first_sentence(error)}. {REMEDY}") from None


LIBRARIES = {"keras.applications": from_applications, "keras_hub.models": from_hub}
