"""Squeeze-and-excitation: the paper's arithmetic, and its place in the head."""

import numpy as np
import pytest

from skinlesion.model.backend import keras
from skinlesion.runtime import params
from skinlesion.runtime.params import sections
from skinlesion.train.network import heads
from skinlesion.train.network.attention import ATTENTIONS, SE_RATIO, squeeze_excite

FEATURES = np.random.default_rng(1).normal(size=(3, 4, 5, 64)).astype("float32")


@pytest.fixture(scope="module")
def block():
    keras.utils.set_random_seed(2)
    features = keras.Input(FEATURES.shape[1:])
    model = keras.Model(features, squeeze_excite(features))
    model.set_weights([weight + 0.1 for weight in model.get_weights()])  # biases that show
    return model


def test_equals_the_papers_formula(block):
    reduce, reduce_bias, expand, expand_bias = block.get_weights()
    assert reduce.shape == (64, 64 // SE_RATIO)
    squeezed = FEATURES.mean(axis=(1, 2))
    hidden = np.maximum(squeezed @ reduce + reduce_bias, 0)
    scale = 1 / (1 + np.exp(-(hidden @ expand + expand_bias)))
    np.testing.assert_allclose(block(FEATURES), FEATURES * scale[:, None, None, :], atol=1e-5)


def test_parameters_are_the_papers(block):
    assert block.count_params() == 2 * 64 * 64 // 16 + 64 // 16 + 64


def test_few_channels_keep_one_hidden_unit():
    features = keras.Input((2, 2, 8))
    assert keras.Model(features, squeeze_excite(features)).get_weights()[0].shape == (8, 1)


def test_stands_in_the_head_before_its_first_layer():
    gap = params.load().heads["gap"]
    plain, weighed = (heads.make(gap, (4, 5, 64), attention) for attention in ("none", "se"))
    names = [layer.name for layer in weighed.layers]
    assert [name for name in names if name not in [layer.name for layer in plain.layers]][:4] == [
        "squeeze",
        "excite_reduce",
        "excite",
        "scale",
    ]
    assert names.index("scale") < next(i for i, name in enumerate(names) if name.startswith("global_average"))
    assert weighed.count_params() - plain.count_params() == 2 * 64 * 4 + 4 + 64


def test_params_names_the_rows_of_the_table():
    assert set(sections.Model.model_fields["attention"].annotation.__args__) == set(ATTENTIONS)
