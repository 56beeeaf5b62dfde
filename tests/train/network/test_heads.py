"""A head is the table's layers in their order, then seven probabilities."""

import keras
import numpy as np
import pytest

from skinlesion.runtime.params.rows import HeadLayer
from skinlesion.train.network import heads

KINDS = {
    "average_pool": ("global", keras.layers.GlobalAveragePooling2D),
    "max_pool": (2, keras.layers.MaxPooling2D),
    "flatten": (True, keras.layers.Flatten),
    "batch_norm": (True, keras.layers.BatchNormalization),
    "dropout": (0.3, keras.layers.Dropout),
    "dense": (5, keras.layers.Dense),
    "conv": (6, keras.layers.Conv2D),
}


def made(*layers: dict, features: tuple = (4, 4, 3)) -> keras.Model:
    return heads.make([HeadLayer.model_validate(layer) for layer in layers], features)


def kinds(head: keras.Model) -> list[type]:
    return [type(layer) for layer in head.layers[1:-1]]


@pytest.mark.parametrize("kind", HeadLayer.model_fields)
def test_every_kind_of_layer_can_be_made(kind):
    value, layer = KINDS[kind]
    rest = [] if kind in ("average_pool", "flatten") else [{"flatten": True}]
    head = made({kind: value}, *rest)
    assert kinds(head)[0] is layer
    probabilities = keras.ops.convert_to_numpy(head(np.random.default_rng(0).random((2, 4, 4, 3))))
    assert probabilities.shape == (2, 7)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_layers_stand_in_the_order_of_the_table():
    head = made({"conv": 64}, {"max_pool": 2}, {"dropout": 0.4}, {"flatten": True}, {"dense": 128}, {"dropout": 0.2})
    names = ["Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dropout"]
    assert [kind.__name__ for kind in kinds(head)] == names
    conv, pool, first, _, dense, second = head.layers[1:-1]
    assert (conv.filters, pool.pool_size, first.rate, dense.units, second.rate) == (64, (2, 2), 0.4, 128, 0.2)


def test_the_average_is_over_the_feature_map():
    head = made({"average_pool": "global"}, {"dropout": 0.3}, features=(2, 2, 3))
    features = np.arange(12, dtype="float32").reshape(1, 2, 2, 3)
    kernel, bias = head.get_layer("probabilities").get_weights()
    logits = features.mean(axis=(1, 2)) @ kernel + bias
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    np.testing.assert_allclose(head(features), expected, atol=1e-5)


def test_a_head_of_no_layers_but_flatten_has_one_weight_a_feature_and_class():
    assert made({"flatten": True}, features=(2, 2, 3)).count_params() == 12 * 7 + 7
