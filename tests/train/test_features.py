"""A head that trains on features extracted once ends as one that trains behind its frozen backbone."""

import keras
import numpy as np
import pytest

from skinlesion.train import features
from skinlesion.train.fit import fit
from skinlesion.train.network import heads

pytestmark = pytest.mark.training

# head, attention, shape of the features
CASES = {
    "average": ([{"average_pool": "global"}, {"batch_norm": True}, {"dense": 8}, {"dropout": 0.4}], "none", (16,)),
    "map": ([{"max_pool": 2}, {"conv": 4}, {"flatten": True}, {"dense": 8}], "none", (2, 2, 16)),
    "attention": ([{"average_pool": "global"}, {"dropout": 0.3}], "se", (3, 3, 16)),
}


@pytest.mark.parametrize("case", CASES)
def test_the_result_equals_that_of_running_the_backbone_in_every_epoch(
    case, make_tiny, easy, contrary, train_params, phase, monkeypatch
):
    head, attention, _ = CASES[case]
    ends = []
    for extracted in (True, False):
        if not extracted:
            monkeypatch.setattr(features, "are_fixed", lambda *_: False)
        model = make_tiny(*head, attention=attention)
        history, best = fit(model, easy, contrary, [phase("head", 3, 1e-3)], train_params(), seed=3)
        ends.append((model.get_weights(), history, best))
    (weights, history, best), (expected, expected_history, expected_best) = ends
    np.testing.assert_allclose(history, expected_history, rtol=2e-4, atol=1e-6)
    assert best == expected_best
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("case", CASES)
def test_features_are_as_small_as_the_head_allows(case, make_tiny, easy):
    head, attention, shape = CASES[case]
    model = make_tiny(*head, attention=attention)
    body, rest = features.split(model)
    extracted = features.extract(body, easy[0], 8, "train")
    assert extracted.shape == (len(easy[0]), *shape)
    np.testing.assert_allclose(rest.predict(extracted, verbose=0), model.predict(easy[0], verbose=0), atol=1e-5)


def test_each_image_passes_the_backbone_once(tiny, easy, easy_validation, train_params, phase, monkeypatch):
    extracted, extract = [], features.extract
    monkeypatch.setattr(
        features, "extract", lambda body, images, *rest: extracted.append(len(images)) or extract(body, images, *rest)
    )
    models, step = set(), keras.Model.train_step
    monkeypatch.setattr(keras.Model, "train_step", lambda model, data: models.add(model.name) or step(model, data))
    fit(tiny, easy, easy_validation, [phase("head", 2)], train_params(), seed=3)
    assert extracted == [len(easy[0]), len(easy_validation[0])]
    assert models == {"head_on_features"}


def test_only_a_frozen_backbone_without_randomness_has_fixed_features(tiny, train_params, phase):
    assert features.are_fixed(tiny, phase("head"), train_params())
    assert not features.are_fixed(tiny, phase("all"), train_params())
    assert not features.are_fixed(tiny, phase(3), train_params())
    ranges = ("flip_horizontal", "flip_vertical", "rotate", "zoom", "shift", "shear", "brightness", "contrast")
    online = dict.fromkeys(ranges, 0) | {"rotate": 10}
    assert not features.are_fixed(tiny, phase("head"), train_params(augmentation=online))
    pixels = keras.Input((16, 16, 3))
    random = keras.Model(pixels, keras.layers.Dropout(0.1)(keras.layers.Conv2D(4, 3)(pixels)), name="backbone")
    head = heads.build_head([], random.output.shape[1:])
    assert not features.are_fixed(keras.Sequential([random, head]), phase("head"), train_params())
