"""What every backbone of networks.yaml promises. A new row gets these tests by one line in PUBLISHED."""

import importlib

import numpy as np
import pytest

from skinlesion.model import bundle
from skinlesion.model.backend import keras
from skinlesion.model.calibration import Calibration
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params.rows import Backbone, Phase
from skinlesion.train import features
from skinlesion.train.network import backbones, freeze
from skinlesion.train.network.build import build
from tests.helpers.chain import load_sample
from tests.helpers.references import ALL_USUAL

pytestmark = pytest.mark.training

SETTINGS = load_sample()
CALIBRATION = Calibration(1.0, np.full(7, 1 / 7), np.full(7, 1 / 7))
# backbone -> parameters without classifier, feature map at the smallest size, and the library's own preprocessing.
# Counts: torchvision's ResNet18 (11,176,512 and 9,600 moving statistics), Keras' own models less their classifier, the
# published files of EfficientNet-Lite, and keras-hub's presets (22,582,656 and 87,632,640) with position embeddings for
# 28 px in place of 518.
PUBLISHED = {
    "resnet18": (11_186_112, (1, 1, 512), "imagenet_utils.torch"),
    "resnet50": (25_636_712 - 2_049_000, (1, 1, 2048), "resnet50"),
    "inception_resnet_v2": (55_873_736 - 1_537_000, (1, 1, 1536), "inception_resnet_v2"),
    "densenet121": (8_062_504 - 1_025_000, (1, 1, 1024), "densenet"),
    "efficientnet_v2_b0": (7_200_312 - 1_281_000, (1, 1, 1280), "built in"),
    "convnext_tiny": (28_589_128 - 769_000, (1, 1, 768), "built in"),
    "mobilenet_v3": (2_996_352, (1, 1, 960), "built in"),
    "efficientnet_lite0": (3_413_024, (1, 1, 1280), "imagenet_utils.tf"),
    "efficientnet_lite1": (4_189_344, (1, 1, 1280), "imagenet_utils.tf"),
    "efficientnet_lite2": (4_869_168, (1, 1, 1280), "imagenet_utils.tf"),
    "dinov2_small": (22_582_656 - 1365 * 384, (2, 2, 384), "imagenet_utils.torch"),
    "dinov2_base": (87_632_640 - 1365 * 768, (2, 2, 768), "imagenet_utils.torch"),
}
# by layers or by weights
LARGE = (
    "inception_resnet_v2",
    "densenet121",
    "convnext_tiny",
    "dinov2_base",
    "efficientnet_lite1",
    "efficientnet_lite2",
)
ROWS = [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in PUBLISHED]


def pixels(size: int) -> np.ndarray:
    images = np.random.default_rng(3).integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images


@pytest.fixture(scope="module", params=ROWS)
def built(request) -> tuple[str, Backbone, keras.Model]:
    """(name, row, classifier with head gap) of each backbone, one at a time."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    row = SETTINGS.backbones[request.param]
    return request.param, row, build(row, SETTINGS.heads["gap"], row.smallest, weights=None)


def train_step(model: keras.Model, size: int, phase: Phase) -> dict[str, list[bool]]:
    """Which arrays of each of the backbone's layers, and of the head, one step of training in `phase` changes."""
    backbone, head = model.get_layer("backbone"), model.get_layer("head")
    freeze.apply(backbone, phase)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    parts = [*backbone.layers, head]
    before = [part.get_weights() for part in parts]
    model.train_on_batch(pixels(size), np.array([1, 4]))
    return {
        part.name: [not np.array_equal(*pair) for pair in zip(old, part.get_weights(), strict=True)]
        for old, part in zip(before, parts, strict=True)
    }


def test_every_row_has_its_line():
    assert set(PUBLISHED) == set(SETTINGS.backbones)


def test_architecture_is_the_published_one(built):
    name, _, model = built
    backbone = model.get_layer("backbone")
    assert (backbone.count_params(), backbone.output.shape[1:]) == PUBLISHED[name][:2]


def test_preprocessing_is_the_librarys_own(built):
    name, row, model = built
    images = pixels(row.smallest)
    ours = model.get_layer("preprocessing").predict_on_batch(images)
    module, _, mode = PUBLISHED[name][2].partition(".")
    if module == "built in":
        constructor = getattr(keras.applications, row.constructor.rsplit(".", 1)[1])
        whole = constructor(weights=None, include_top=False, input_shape=images.shape[1:])
        first = next(layer for layer in whole.layers if layer.weights)
        expected = keras.Model(whole.inputs[0], first.input)(images.astype("float32"))
    else:
        library = importlib.import_module(f"keras.applications.{module}")
        expected = library.preprocess_input(images.astype("float32"), **({"mode": mode} if mode else {}))
    np.testing.assert_allclose(ours, expected, atol=2e-4 if row.preprocessing == "caffe" else 2e-6)


def test_bytes_become_probabilities_through_the_three_named_parts(built):
    _, row, model = built
    images = pixels(row.smallest)
    probabilities = keras.ops.convert_to_numpy(model(images))
    assert (probabilities.shape, probabilities.dtype) == ((2, 7), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(model(images.astype("float32")), probabilities)
    x = images
    for part in ("preprocessing", "backbone", "head"):
        x = model.get_layer(part)(x)
    np.testing.assert_allclose(x, probabilities, rtol=1e-4, atol=1e-6)


def test_features_are_extracted_once_unless_the_backbone_is_random(built, train_params, phase):
    """Dropout inside a backbone, as EfficientNet has it, needs new features in every epoch."""
    layers = built[2].get_layer("backbone").layers
    is_random = any(isinstance(layer, keras.layers.Dropout) for layer in layers)
    assert features.are_fixed(built[2], phase("head"), train_params()) == (not is_random)


def test_a_phase_of_the_head_changes_nothing_of_the_backbone(built, phase):
    _, row, model = built
    changed = train_step(model, row.smallest, phase("head"))
    assert all(changed.pop("head"))
    assert not any(any(arrays) for arrays in changed.values())


def test_a_phase_from_a_layer_on_changes_only_what_follows_and_no_moving_statistics(built, phase):
    name, row, model = built
    layers = model.get_layer("backbone").layers
    first = len(layers) // 2
    changed = train_step(model, row.smallest, phase(first, batch_norm="frozen"))
    for number, layer in enumerate(layers):
        if number < first or isinstance(layer, keras.layers.BatchNormalization):
            assert not any(changed[layer.name]), (name, layer.name)
    assert any(any(changed[layer.name]) for layer in layers[first:])


def test_a_trained_model_saves_and_loads_equal(built, phase, tmp_path):
    _, row, model = built
    changed = train_step(model, row.smallest, phase("all"))
    assert np.mean([array for arrays in changed.values() for array in arrays]) > 0.9
    bundle.save(bundle.Bundle(model, CALIBRATION, "crop", ALL_USUAL), tmp_path / "model.keras")
    loaded = bundle.load(tmp_path / "model.keras").model
    images = pixels(row.smallest)
    np.testing.assert_array_equal(loaded(images, training=False), model(images, training=False))
    for old, new in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(old, new, err_msg=old.path)


def test_random_weights_have_a_momentum_that_follows_within_tens_of_steps(built):
    norms = [layer for layer in built[2].get_layer("backbone").layers if type(layer).__name__ == "BatchNormalization"]
    assert all(layer.momentum == 0.9 for layer in norms)


def test_a_phase_from_a_layer_that_the_backbone_lacks_is_refused(phase):
    backbone = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    freeze.check(backbone, [phase(1), phase("all")])
    with pytest.raises(UserError, match=r"layer 100 .* 2 layers.*smaller number"):
        freeze.check(backbone, [phase("all"), phase(100)])


def test_a_constructor_that_does_not_exist_is_named_with_the_likely_one():
    row = SETTINGS.backbones["resnet50"].model_copy(update={"constructor": "keras.applications.ResNet5"})
    with pytest.raises(UserError, match=r"networks\.yaml.*'ResNet5'.*'ResNet50'"):
        backbones.build_backbone(row, 32, None)


def test_a_backbone_that_cannot_be_saved_is_refused_before_its_training(monkeypatch):
    def get_config(self):
        raise AttributeError("'Conv2D' object has no attribute 'key_dim'")

    row = SETTINGS.backbones["resnet18"]
    monkeypatch.setattr(keras.layers.Conv2D, "get_config", get_config)
    with pytest.raises(UserError, match=r"networks\.yaml.*cannot save keras_hub\.models.*key_dim.*another one"):
        build(row, SETTINGS.heads["gap"], 32, weights=None)


@pytest.mark.bfloat16
def test_in_mixed_precision_pixels_probabilities_and_weights_stay_float32():
    row = SETTINGS.backbones["mobilenet_v3"]
    model = build(row, SETTINGS.heads["gap"], 32, weights=None, precision="mixed_bfloat16")
    assert model.get_layer("backbone").compute_dtype == "bfloat16"
    assert model.get_layer("preprocessing")(pixels(32)).dtype == "float32"
    assert model(pixels(32)).dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_tokens_become_the_feature_map_row_by_row():
    dino = SETTINGS.backbones["dinov2_small"]
    small = {"num_layers": 1, "hidden_dim": 12, "intermediate_dim": 8, "position_embedding_shape": [42, 42, 3]}
    backbone = backbones.build_backbone(dino.model_copy(update={"arguments": dino.arguments | small}), 42, None)
    images = np.random.default_rng(0).normal(size=(2, 42, 42, 3)).astype("float32")
    tokens = keras.Model(backbone.inputs[0], backbone.get_layer("backbone_layernorm").output)(images)
    assert tokens.shape == (2, 10, 12)
    features = keras.ops.convert_to_numpy(backbone(images))
    np.testing.assert_array_equal(features.reshape(2, 9, 12), tokens[:, 1:])
