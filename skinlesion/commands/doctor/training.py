"""What training needs: Keras with its backend, a device, and pretrained weights."""

import os
import re
from importlib import metadata
from pathlib import Path

from skinlesion.commands.doctor.software import SETUP, Finding
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.rows import Backbone
from skinlesion.runtime.pretrained import PYPI, find_package_weights
from skinlesion.train.machine import processor


def check_device(settings: Params) -> Finding:
    """Say where train would run and in which precision, and whether the backend sees a GPU."""
    try:
        from skinlesion.model.backend import keras
        from skinlesion.train.machine import devices
    except Exception as error:  # a broken package raises nearly anything
        name = os.environ.get("KERAS_BACKEND", "tensorflow")
        return Finding("problem", f"Keras does not start on {name}: {type(error).__name__}: {error}", SETUP)
    device = devices.choose(settings.train.device)
    backend = keras.backend.backend()
    precision, auto = (devices.choose_precision(value, device) for value in (settings.train.precision, "auto"))
    hardware = "GPU" if device == "gpu" else f"{os.cpu_count()} CPU cores ({processor.describe()})"
    text = f"{hardware}, {precision} (train.precision: auto gives {auto}), {backend} {metadata.version(backend)}"
    if device in ("gpu", settings.train.device):
        return Finding("ok", text)
    remedy = "A GPU is recommended for the real data. If there is one from NVIDIA, on Linux: make setup GPU=1"
    return Finding("note", f"{text}; {backend} sees no GPU", remedy)


def check_weights(settings: Params) -> Finding:
    """Check whether the initial weights are on this machine; raise UserError if a package with them is missing."""
    weights, backbone = settings.model.weights, settings.model.backbone
    if weights is None:
        return Finding("ok", f"model.weights: null, so {backbone} starts from random weights")
    if weights == "imagenet" and not is_cached(settings.backbone):
        remedy = "With network access train downloads them. Without, set model.weights to a weights file, or to null"
        return Finding("note", f"model.weights: imagenet, but those of {backbone} are not on this machine", remedy)
    if weights != "imagenet" and not Path(weights).expanduser().is_file():
        return Finding("problem", f"model.weights: {weights} is missing", "Correct it: imagenet, null, or a file")
    return Finding("ok", f"model.weights: {weights}, on this machine")


def is_cached(row: Backbone) -> bool:
    """Whether Keras, Kaggle's hub for keras-hub, or a package holds a backbone's whole weights.

    Raises UserError if they come from a package that is not installed: train cannot download it.
    """
    if row.imagenet.startswith(PYPI):
        return find_package_weights(row.imagenet).is_file()
    library, constructor = row.constructor.rsplit(".", 1)
    if library == "keras_hub.models":
        hub = Path(os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub")).expanduser()
        return any(hub.glob(f"models/keras/*/keras/{row.imagenet}/.complete/*/model.weights.h5.complete"))
    # As resnet50_weights_..._notop.h5, efficientnetv2-b0_notop.h5, weights_mobilenet_v3_large_..._no_top_v2.h5
    wanted = re.compile(rf"(?<![a-z]){constructor.lower()}(?!v\d).*notop")
    files = (Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models").glob("*.h5")
    return any(wanted.search(re.sub("[_-]", "", file.name.lower()).removeprefix("weights")) for file in files)
