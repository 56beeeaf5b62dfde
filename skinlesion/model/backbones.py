"""Backbones: image networks without their classifier, built from a row of `backbones` in params.yaml."""

import importlib
import zipfile
from collections.abc import Callable

import keras

from skinlesion.errors import UserError
from skinlesion.params import Backbone

WAYS_OUT = (
    "Two ways out: download the weights elsewhere and give the file as model.weights, "
    "or train from random weights with model.weights: null"
)


def make(row: Backbone, size: int, weights: str | None) -> keras.Model:
    """Build the sub-model `backbone`: scaled pixels (N, size, size, 3) to a feature map (N, h, w, channels).

    Args:
        weights: `imagenet`, None for random ones, or the path of a Keras weights file of this backbone.

    Raises:
        UserError: ImageNet weights cannot be downloaded, or the file is not there or not this backbone's.
    """
    library, name = row.constructor.rsplit(".", 1)
    constructor = getattr(importlib.import_module(library), name)
    backbone = LIBRARIES[library](constructor, row, size, weights == "imagenet")
    if weights not in (None, "imagenet"):
        load_weights(backbone, weights, name)
    return backbone


def from_applications(constructor: Callable, row: Backbone, size: int, imagenet: bool) -> keras.Model:
    settings = {**row.arguments, "include_top": False, "input_shape": (size, size, 3), "name": "backbone"}
    if not imagenet:
        return constructor(weights=None, **settings)
    try:
        return constructor(weights=row.imagenet, **settings)
    except Exception as error:  # keras.utils.get_file raises a bare Exception, or a ValueError
        words = ("URL fetch failure", "file hash does not match")
        if not isinstance(error, OSError) and not any(word in str(error) for word in words):
            raise
        raise UserError(f"the ImageNet weights could not be downloaded: {error}. {WAYS_OUT}") from None


def from_hub(constructor: type, row: Backbone, size: int, imagenet: bool) -> keras.Model:
    backbone = constructor(**row.arguments, image_shape=(size, size, 3), name="backbone")
    if imagenet:
        try:
            published = constructor.from_preset(row.imagenet)
        except Exception as error:  # kagglehub and requests raise many kinds
            raise UserError(
                f"the ImageNet weights {row.imagenet} could not be downloaded: {error}. {WAYS_OUT}"
            ) from None
        backbone.set_weights(published.get_weights())
    return backbone


LIBRARIES = {"keras.applications": from_applications, "keras_hub.models": from_hub}


def load_weights(backbone: keras.Model, path: str, name: str) -> None:
    """Load a weights file into `backbone`; one that does not fit is refused."""
    try:
        backbone.load_weights(path)
    except FileNotFoundError:
        raise UserError(f"model.weights names {path}, which is missing") from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"model.weights: {path} is no weights file of {name} without its classifier "
            f"({backbone.count_params():,} parameters): {reason}"
        ) from None
