"""One classifier of every backbone, built once at the smallest size that its row allows."""

from collections.abc import Callable, Iterator
from functools import cache

import keras
import numpy as np
import pytest

from skinlesion.runtime.params import Params
from skinlesion.train.network.build import build
from tests.helpers.one_block import one_block


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    """`build` sets the dtype policy of the process: no test hands its own to the next."""
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def classifier(settings: Params) -> Callable[[str], keras.Model]:
    """`classifier("resnet18")`: with random weights; tests that change it leave it as it was. "small": one block of it.

    Biases, scales and moving statistics are random too: as they are made, they equal each other in all layers.
    """
    random = np.random.default_rng(0)
    small = one_block(settings.backbones["resnet18"])

    @cache
    def built(name: str) -> keras.Model:
        row = small if name == "small" else settings.backbones[name]
        model = build(row, settings.heads["gap"], row.smallest, weights=None)
        for weight in model.weights:
            if len(weight.shape) == 1:
                weight.assign_add(random.uniform(0, 0.1, weight.shape))
        return model

    return built
