"""What a phase freezes stays as it is. test_backbones tries it on every backbone, test_fit over several phases."""

import keras
import numpy as np
import pytest

from skinlesion.train.network import freeze

pytestmark = pytest.mark.training


@pytest.mark.parametrize("part", ["all", "head", 3])
def test_weights_keep_their_order_and_the_head_always_trains(part, tiny, phase):
    """The best weights of one phase are set in another."""
    order = [weight.path for weight in tiny.weights]
    freeze.apply(tiny.get_layer("backbone"), phase(part))
    assert [weight.path for weight in tiny.weights] == order
    assert [weight.path for weight in tiny.trainable_weights][-2:] == ["probabilities/kernel", "probabilities/bias"]


def test_batch_norm_inside_a_custom_layer_is_frozen_too_and_trains_again(phase):
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm = keras.layers.BatchNormalization()

        def call(self, inputs, training=False):
            return self.norm(inputs, training=training)

    backbone = keras.Sequential([keras.Input((3,)), Block()])
    for batch_norm in ("train", "frozen", "train"):
        freeze.apply(backbone, phase("all", batch_norm=batch_norm))
        before = backbone.get_weights()
        backbone(np.random.default_rng(0).normal(size=(2, 3)), training=True)
        changed = any(not np.array_equal(*pair) for pair in zip(before, backbone.get_weights(), strict=True))
        assert changed == (batch_norm == "train")
