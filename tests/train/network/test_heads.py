"""What every head of networks.yaml promises, with and without attention. A new row gets these tests by one line."""

import numpy as np
import pytest

from skinlesion.model.backend import keras
from skinlesion.runtime.params import sections
from skinlesion.runtime.params.rows import HeadLayer
from skinlesion.train.network import heads
from skinlesion.train.network.heads import ATTENTIONS, SE_RATIO, squeeze_excite
from tests.helpers.chain import load_sample

HEADS = load_sample().heads
FEATURES = np.random.default_rng(1).normal(size=(3, 4, 5, 64)).astype("float32")
# head -> the layers between feature map and probabilities
LAYERS = {
    "gap": "GlobalAveragePooling2D Dropout",
    "gap_dense": "GlobalAveragePooling2D BatchNormalization Dense Dropout",
    "conv": "Conv2D MaxPooling2D Dropout Flatten Dense Dropout",
    "classifier": "GlobalAveragePooling2D Dense Dropout",
}
SE_LAYERS = ["squeeze", "excite_reduce", "excite", "scale"]


def test_every_row_has_its_line_and_every_value_of_attention_its_function():
    assert set(LAYERS) == set(HEADS)
    assert set(sections.Model.model_fields["attention"].annotation.__args__) == set(ATTENTIONS)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_a_head_has_its_rows_layers_gives_probabilities_and_loads_equal(name, attention, tmp_path):
    head = heads.build_head(HEADS[name], FEATURES.shape[1:], attention)
    before, layers = (SE_LAYERS, head.layers[5:-1]) if attention == "se" else ([], head.layers[1:-1])
    assert [layer.name for layer in head.layers[1 : 1 + len(before)]] == before
    assert [type(layer).__name__ for layer in layers] == LAYERS[name].split()
    probabilities = keras.ops.convert_to_numpy(head(FEATURES))
    assert (probabilities.shape, probabilities.dtype) == ((3, 7), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    head.save(tmp_path / "head.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "head.keras")(FEATURES), probabilities)


def test_values_reach_the_layers_in_the_order_of_the_row():
    values = [{"conv": 9}, {"max_pool": 2}, {"dropout": 0.4}, {"flatten": True}, {"dense": 8}, {"dropout": 0.2}]
    head = heads.build_head([HeadLayer(**value) for value in values], (4, 4, 3))
    conv, pool, first, _, dense, second = head.layers[1:-1]
    assert (conv.filters, pool.pool_size, first.rate, dense.units, second.rate) == (9, (2, 2), 0.4, 8, 0.2)
    assert {*HeadLayer.model_fields} == {*heads.LAYERS}


def test_the_average_is_over_the_feature_map():
    head = heads.build_head([HeadLayer(average_pool="global")], (2, 2, 3))
    features = np.arange(12, dtype="float32").reshape(1, 2, 2, 3)
    kernel, bias = head.get_layer("probabilities").get_weights()
    exponentials = np.exp(features.mean(axis=(1, 2)) @ kernel + bias)
    np.testing.assert_allclose(head(features), exponentials / exponentials.sum(), atol=1e-5)


def test_squeeze_and_excitation_equals_the_papers_formula():
    keras.utils.set_random_seed(2)
    features = keras.Input(FEATURES.shape[1:])
    block = keras.Model(features, squeeze_excite(features))
    block.set_weights([weight + 0.1 for weight in block.get_weights()])  # biases other than 0
    reduce, reduce_bias, expand, expand_bias = block.get_weights()
    assert reduce.shape == (64, 64 // SE_RATIO)
    hidden = np.maximum(FEATURES.mean(axis=(1, 2)) @ reduce + reduce_bias, 0)
    scale = 1 / (1 + np.exp(-(hidden @ expand + expand_bias)))
    np.testing.assert_allclose(block(FEATURES), FEATURES * scale[:, None, None, :], atol=1e-5)


def test_squeeze_and_excitation_of_few_channels_keeps_one_hidden_unit():
    features = keras.Input((2, 2, 8))
    assert keras.Model(features, squeeze_excite(features)).get_weights()[0].shape == (8, 1)
