"""A tiny model, saved as training saves it, whose answers differ from image to image."""

import keras
import numpy as np
import pytest

from skinlesion.model import bundle
from skinlesion.model.calibration import Calibration
from skinlesion.train.network.build import build
from tests.helpers.one_block import one_block

CALIBRATION = Calibration(1.4, np.full(7, 1 / 7), np.array([0.03, 0.05, 0.11, 0.02, 0.11, 0.66, 0.02]))


@pytest.fixture(scope="session")
def model_file(settings, tmp_path_factory):
    keras.utils.set_random_seed(5)
    model = build(one_block(settings.backbones["resnet18"]), settings.heads["gap"], 64, weights=None)
    pictures = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3)) * np.linspace(0.2, 1, 6)[:, None, None, None]
    body = keras.Sequential([model.get_layer("preprocessing"), model.get_layer("backbone")])
    features = np.asarray(body(pictures)).mean(axis=(1, 2))
    scale = 1 / (features.std(axis=0).mean() * features.shape[1] ** 0.5)
    kernel = np.random.default_rng(1).normal(0, scale, (features.shape[1], 7))
    model.get_layer("head").set_weights([kernel, -features.mean(axis=0) @ kernel])
    path = tmp_path_factory.mktemp("models") / "model.keras"
    bundle.save(model, CALIBRATION, "crop", path)
    (path.parent / "MODEL_CARD.md").write_text("---\nlicense: mit\n---\n\n# A card for tests\n")
    return path
