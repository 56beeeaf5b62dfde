"""A head that trains on features computed once ends as one that trains behind its frozen backbone."""

import keras
import numpy as np
import pytest

from skinlesion.runtime.params.rows import HeadLayer
from skinlesion.train import features
from skinlesion.train.fit import fit
from skinlesion.train.network import heads

pytestmark = pytest.mark.training

HEADS = {
    "gap": [{"average_pool": "global"}, {"dropout": 0.3}],
    "conv": [{"max_pool": 2}, {"conv": 4}, {"flatten": True}, {"dense": 8}],
    "norm": [{"average_pool": "global"}, {"batch_norm": True}, {"dense": 8}, {"dropout": 0.4}],
}


def with_head(tiny: keras.Model, row: list[dict], attention: str = "none") -> keras.Model:
    image, backbone = tiny.inputs[0], tiny.get_layer("backbone")
    head = heads.make([HeadLayer(**layer) for layer in row], backbone.output.shape[1:], attention)
    return keras.Model(image, head(backbone(tiny.get_layer("preprocessing")(image))))


@pytest.mark.parametrize(("head", "attention"), [*((head, "none") for head in HEADS), ("norm", "se")])
def test_the_result_is_that_of_running_the_backbone_in_every_epoch(
    head, attention, make_tiny, easy, contrary, how, phase, monkeypatch
):
    ends = []
    for cached in (True, False):
        if not cached:
            monkeypatch.setattr(features, "fixed", lambda *_: False)
        model = with_head(make_tiny(), HEADS[head], attention)
        history, best = fit(model, easy, contrary, [phase("head", 3, 1e-3)], how(), seed=3)
        ends.append((model.get_weights(), history, best))
    (weights, history, best), (expected, expected_history, expected_best) = ends
    np.testing.assert_allclose(history, expected_history, rtol=2e-4, atol=1e-6)
    assert best == expected_best
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-4)


def test_each_image_passes_the_backbone_once(tiny, easy, easy_validation, how, phase, monkeypatch):
    seen, run = [], features.of
    monkeypatch.setattr(
        features, "of", lambda body, images, *rest: seen.append(len(images)) or run(body, images, *rest)
    )
    steps, step = [], keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda model, data: steps.append(model.name) or step(model, data))
    fit(tiny, easy, easy_validation, [phase("head", 4)], how(), seed=3)
    assert seen == [len(easy[0]), len(easy_validation[0])]
    assert set(steps) == {"head_on_features"}


@pytest.mark.parametrize(
    ("head", "attention", "shape"),
    [("gap", "none", (16,)), ("norm", "none", (16,)), ("conv", "none", (2, 2, 16)), ("gap", "se", (3, 3, 16))],
)
def test_features_are_as_small_as_the_head_allows(head, attention, shape, tiny, easy):
    model = with_head(tiny, HEADS[head], attention)
    body, rest = features.split(model)
    found = features.of(body, easy[0], 8, "train")
    assert found.shape == (len(easy[0]), *shape)
    np.testing.assert_allclose(rest.predict(found, verbose=0), model.predict(easy[0], verbose=0), atol=1e-5)


def test_only_a_backbone_that_always_says_the_same_is_asked_once(tiny, how, phase, change):
    assert features.fixed(tiny, phase("head"), how())
    assert not features.fixed(tiny, phase("all"), how())
    assert not features.fixed(tiny, phase(3), how())
    online = dict.fromkeys(
        ("flip_horizontal", "flip_vertical", "rotate", "zoom", "shift", "shear", "brightness", "contrast"), 0
    )
    assert not features.fixed(tiny, phase("head"), how(augmentation=online | {"rotate": 10}))
    pixels = keras.Input((16, 16, 3))
    by_chance = keras.Model(pixels, keras.layers.Dropout(0.1)(keras.layers.Conv2D(4, 3)(pixels)), name="backbone")
    head = heads.make([HeadLayer(average_pool="global")], by_chance.output.shape[1:])
    assert not features.fixed(keras.Sequential([by_chance, head]), phase("head"), how())
