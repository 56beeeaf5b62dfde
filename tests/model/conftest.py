"""A small classifier, built once."""

import keras
import numpy as np
import pytest

from skinlesion.runtime.params import Params
from skinlesion.train.network.build import build
from tests.helpers.one_block import one_block


@pytest.fixture(scope="session")
def classifier(settings: Params) -> keras.Model:
    """One block of ResNet18; tests leave it as it was. Biases, scales and moving statistics are random too."""
    random = np.random.default_rng(0)
    model = build(one_block(settings.backbones["resnet18"]), settings.heads["gap"], 32, weights=None)
    for weight in model.weights:
        if len(weight.shape) == 1:
            weight.assign_add(random.uniform(0, 0.1, weight.shape))
    return model
