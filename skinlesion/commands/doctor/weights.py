"""The backbone's pretrained weights: named, and on this machine already or still to be downloaded."""

import os
import re
from pathlib import Path

from skinlesion.commands.doctor.finding import Finding, note, ok, problem
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.rows import Backbone

DOWNLOAD = "Nothing, with network: train downloads them once. Without: give a file as model.weights, or null for random"


def weights(settings: Params) -> Finding:
    named, backbone = settings.model.weights, settings.model.backbone
    if named is None:
        return ok(f"model.weights: null, {backbone} starts at random")
    if named == "imagenet":
        if cached(settings.backbone):
            return ok(f"the pretrained weights of {backbone} are on this machine")
        return note(f"the pretrained weights of {backbone} are not on this machine yet", DOWNLOAD)
    if Path(named).is_file():
        return ok(f"model.weights: {named} is there")
    return problem(f"model.weights: {named} is missing", "Correct it in params.yaml: imagenet, null, or a file")


def cached(row: Backbone) -> bool:
    """Whether Keras, or Kaggle's hub for keras-hub, holds a backbone's weights whole."""
    library, name = row.constructor.rsplit(".", 1)
    return CACHES[library](name, row.imagenet)


def in_keras(constructor: str, _: str) -> bool:
    """Keras names files after the constructor: resnet50_weights_..._notop.h5, efficientnetv2-b0_notop.h5."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    wanted = re.compile(rf"(?<![a-z]){constructor.lower()}(?!v\d).*notop")
    files = (home / "models").glob("*.h5")
    return any(wanted.search(re.sub(r"[_-]", "", file.name.lower()).removeprefix("weights")) for file in files)


def in_hub(_: str, preset: str) -> bool:
    folder = Path(os.environ.get("KAGGLEHUB_CACHE", "~/.cache/kagglehub")).expanduser()
    return any(folder.glob(f"models/keras/*/keras/{preset}/.complete/*/model.weights.h5.complete"))


CACHES = {"keras.applications": in_keras, "keras_hub.models": in_hub}
