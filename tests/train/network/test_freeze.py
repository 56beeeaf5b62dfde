"""What a phase freezes stays as it is: weights and moving statistics alike."""

import keras
import numpy as np
import pytest

from skinlesion.runtime.params.rows import Phase
from skinlesion.train.network import freeze

pytestmark = pytest.mark.training

BatchNormalization = keras.layers.BatchNormalization


def phase(train: str | int) -> Phase:
    return Phase(train=train, epochs=1, learning_rate=1e-3)


def norms(backbone: keras.Model) -> list[BatchNormalization]:
    return [layer for layer in backbone._flatten_layers() if isinstance(layer, BatchNormalization)]


def statistics(backbone: keras.Model) -> list[np.ndarray]:
    return [value.numpy().copy() for norm in norms(backbone) for value in norm.non_trainable_variables]


def moved(before: list[np.ndarray], after: list[np.ndarray]) -> list[bool]:
    return [not np.array_equal(one, other) for one, other in zip(before, after, strict=True)]


def train_step(backbone: keras.Model) -> list[bool]:
    """Run the backbone as a training step does, then put its weights back; which moving statistics moved."""
    kept, before = backbone.get_weights(), statistics(backbone)
    size = backbone.input.shape[1]
    backbone(np.random.default_rng(0).normal(0, 50, (2, size, size, 3)), training=True)
    after = statistics(backbone)
    backbone.set_weights(kept)
    return moved(before, after)


@pytest.fixture(params=["resnet18", "resnet50"])
def backbone(request, classifier):
    yield classifier(request.param).get_layer("backbone")
    freeze.apply(classifier(request.param).get_layer("backbone"), phase("all"), [phase("all")])


def test_all_trains_everything(backbone):
    freeze.apply(backbone, phase("head"), [phase("head")])
    freeze.apply(backbone, phase("all"), [phase("all")])
    assert len(backbone.trainable_weights) == len(backbone.weights) - 2 * len(norms(backbone))
    assert all(train_step(backbone))


def test_head_trains_nothing_of_the_backbone(backbone):
    freeze.apply(backbone, phase("head"), [phase("head")])
    assert backbone.trainable_weights == []
    assert not any(train_step(backbone))


def test_a_number_trains_from_that_layer_on(backbone):
    convolutions = [n for n, layer in enumerate(backbone.layers) if isinstance(layer, keras.layers.Conv2D)]
    first = convolutions[len(convolutions) // 2]
    freeze.apply(backbone, phase(first), [phase(first)])
    for number, layer in enumerate(backbone.layers):
        trains = number >= first and not isinstance(layer, BatchNormalization)
        assert bool(layer.trainable_weights) == (trains and bool(layer.weights)), (number, layer.name)
    assert not any(train_step(backbone))


@pytest.mark.parametrize("frozen", ["head", 3])
def test_statistics_rest_in_every_phase_where_one_is_frozen(frozen, backbone):
    phases = [phase(frozen), phase("all")]
    for one in phases:
        freeze.apply(backbone, one, phases)
        assert not any(norm.trainable_weights for norm in norms(backbone))
        assert not any(train_step(backbone))
    convolutions = [layer for layer in backbone.layers if isinstance(layer, keras.layers.Conv2D)]
    assert all(layer.trainable for layer in convolutions), "in the last phase all but the norms trains"


def test_the_head_of_the_classifier_always_trains(classifier):
    model = classifier("resnet18")
    freeze.apply(model.get_layer("backbone"), phase("head"), [phase("head")])
    assert [weight.path for weight in model.trainable_weights] == [
        weight.path for weight in model.get_layer("head").weights
    ]
    freeze.apply(model.get_layer("backbone"), phase("all"), [phase("all")])


def test_weights_keep_their_order_when_layers_freeze(classifier):
    """The best weights of one phase are set in another, and a frozen model's in the one that is saved."""
    model = classifier("resnet18")
    free = [weight.path for weight in model.weights]
    freeze.apply(model.get_layer("backbone"), phase(20), [phase(20)])
    frozen = [weight.path for weight in model.weights]
    freeze.apply(model.get_layer("backbone"), phase("all"), [phase("all")])
    assert frozen == free
