"""A tiny model, saved as training saves it, whose answers differ from image to image."""

from pathlib import Path

import keras
import numpy as np
import pytest

from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.rows import Backbone
from skinlesion.train.network.build import build
from tests.helpers.one_block import one_block
from tests.helpers.references import fit_drawn

CALIBRATION = Calibration(1.4, np.full(7, 1 / 7), np.array([0.03, 0.05, 0.11, 0.02, 0.11, 0.66, 0.02]))


def build_classifier(settings: Params, row: Backbone, side: int) -> keras.Model:
    """A network with random weights, all parts of it at work. A head as built would give 1/7 for every image."""
    keras.utils.set_random_seed(5)
    model = build(row, settings.heads["gap"], side, weights=None)
    random = np.random.default_rng(0)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign_add(random.uniform(0, 0.1, weight.shape))
    images = random.integers(0, 256, (6, side, side, 3)) * np.linspace(0.2, 1, 6)[:, None, None, None]
    body = keras.Sequential([model.get_layer("preprocessing"), model.get_layer("backbone")])
    features = np.asarray(body(images)).mean(axis=(1, 2))
    kernel = random.normal(0, 1 / (features.std(axis=0).mean() * features.shape[1] ** 0.5), (features.shape[1], 7))
    model.get_layer("head").set_weights([kernel, -features.mean(axis=0) @ kernel])
    return model


def save_classifier(settings: Params, folder: Path) -> Path:
    path = folder / "model.keras"
    model = build_classifier(settings, one_block(settings.backbones["resnet18"]), 64)
    bundle.save(bundle.Bundle(model, CALIBRATION, "crop", fit_drawn(64)), path)
    return path


@pytest.fixture(scope="session")
def model_file(settings: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = save_classifier(settings, tmp_path_factory.mktemp("models"))
    path.with_name("MODEL_CARD.md").write_text("---\nlicense: mit\n---\n\n# A card for tests\n")
    return path
