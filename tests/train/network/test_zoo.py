"""Every backbone of params.yaml, with every head, attention and configuration, at its smallest size."""

import importlib

import numpy as np
import pytest

from skinlesion.model import bundle
from skinlesion.model.backend import keras
from skinlesion.model.calibration import Calibration
from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import rows
from skinlesion.train.network import backbones, freeze, heads, preprocessing
from skinlesion.train.network.attention import ATTENTIONS
from skinlesion.train.network.build import build

SETTINGS = params.load()
CALIBRATION = Calibration(1.0, np.full(7, 1 / 7), np.full(7, 1 / 7))
CODES = 7
# backbone -> parameters without classifier, feature map at the smallest size, and the library's own preprocessing.
# Counts: torchvision's ResNet18 (11,176,512 and 9,600 moving statistics), Keras' own models less their classifier, and
# keras-hub's presets (22,582,656 and 87,632,640) with position embeddings for 28 px in place of 518.
PUBLISHED = {
    "resnet18": (11_186_112, (1, 1, 512), "imagenet_utils.torch"),
    "resnet50": (25_636_712 - 2_049_000, (1, 1, 2048), "resnet50"),
    "inception_resnet_v2": (55_873_736 - 1_537_000, (1, 1, 1536), "inception_resnet_v2"),
    "densenet121": (8_062_504 - 1_025_000, (1, 1, 1024), "densenet"),
    "efficientnet_v2_b0": (7_200_312 - 1_281_000, (1, 1, 1280), "built in"),
    "convnext_tiny": (28_589_128 - 769_000, (1, 1, 768), "built in"),
    "mobilenet_v3": (2_996_352, (1, 1, 960), "built in"),
    "dinov2_small": (22_582_656 - 1365 * 384, (2, 2, 384), "imagenet_utils.torch"),
    "dinov2_base": (87_632_640 - 1365 * 768, (2, 2, 768), "imagenet_utils.torch"),
}


LARGE = ("inception_resnet_v2", "densenet121", "convnext_tiny", "dinov2_base")  # by layers or by weights

pytestmark = pytest.mark.training


def pixels(size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (2, size, size, 3), dtype=np.uint8)


def changed_by_a_step(model: keras.Model, row: rows.Backbone, configuration: str) -> tuple[list[bool], list[bool]]:
    """Which arrays of the backbone, and of the head, one step of training in the first phase changes."""
    phases = SETTINGS.configurations[configuration]
    parts = model.get_layer("backbone"), model.get_layer("head")
    freeze.apply(parts[0], phases[0], phases)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    before = [part.get_weights() for part in parts]
    model.train_on_batch(pixels(row.smallest), np.array([1, 4]))
    return tuple(
        [not np.array_equal(x, y) for x, y in zip(old, part.get_weights(), strict=True)]
        for old, part in zip(before, parts, strict=True)
    )


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in SETTINGS.backbones],
)
def built(request):
    """(name, row, classifier with head gap) for each backbone, one at a time."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    row = SETTINGS.backbones[request.param]
    return request.param, row, build(row, SETTINGS.heads["gap"], row.smallest, weights=None)


@pytest.fixture(scope="module")
def features(built) -> np.ndarray:
    """What the heads get for two images."""
    _, row, model = built
    return model.get_layer("backbone")(model.get_layer("preprocessing")(pixels(row.smallest)))


def test_the_table_of_this_test_is_the_table_of_params():
    assert set(PUBLISHED) == set(SETTINGS.backbones)


def test_parameters_are_those_of_the_published_architecture(built):
    name, _, model = built
    backbone = model.get_layer("backbone")
    assert backbone.count_params() == PUBLISHED[name][0]
    assert backbone.output.shape[1:] == PUBLISHED[name][1]


def test_preprocessing_is_the_librarys_own(built):
    name, row, model = built
    images = pixels(row.smallest)
    ours = model.get_layer("preprocessing").predict_on_batch(images)
    own = PUBLISHED[name][2]
    if own == "built in":
        constructor = getattr(keras.applications, row.constructor.rsplit(".", 1)[1])
        whole = constructor(weights=None, include_top=False, input_shape=images.shape[1:])
        first = next(layer for layer in whole.layers if layer.weights)
        expected = keras.Model(whole.inputs[0], first.input)(images.astype("float32"))
        np.testing.assert_allclose(ours, expected, atol=2e-6)
    else:
        module, _, mode = own.partition(".")
        library = importlib.import_module(f"keras.applications.{module}")
        expected = library.preprocess_input(images.astype("float32"), **({"mode": mode} if mode else {}))
        np.testing.assert_allclose(ours, expected, atol=2e-4 if row.preprocessing == "caffe" else 2e-6)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("head", SETTINGS.heads)
def test_every_head_and_attention_gives_probabilities_and_saves_and_loads_equal(features, head, attention, tmp_path):
    part = heads.make(SETTINGS.heads[head], features.shape[1:], attention)
    probabilities = keras.ops.convert_to_numpy(part(features))
    assert probabilities.shape == (2, CODES)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    part.save(tmp_path / "head.keras")
    loaded = keras.models.load_model(tmp_path / "head.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded(features), probabilities)


def test_in_b_nothing_of_the_backbone_changes(built):
    _, row, model = built
    backbone_changed, head_changed = changed_by_a_step(model, row, "B")
    assert not any(backbone_changed)
    assert any(head_changed)


def test_saves_and_loads_equal(built, tmp_path):
    """One convolutional network and one transformer after a step of training, the others with their first weights."""
    name, row, model = built
    if name in ("resnet18", "dinov2_small"):
        assert sum(changed_by_a_step(model, row, "A")[0]) > 90  # arrays, weights and moving statistics
    images = pixels(row.smallest)
    expected = keras.ops.convert_to_numpy(model(images, training=False))
    bundle.save(model, CALIBRATION, "crop", tmp_path / "model.keras")
    loaded = bundle.load(tmp_path / "model.keras").model
    np.testing.assert_array_equal(loaded(images, training=False), expected)
    for old, new in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(old, new, err_msg=old.path)


def test_two_phase_leaves_layers_before_100_untouched_or_says_that_there_are_too_few(built):
    name, row, model = built
    backbone, phases = model.get_layer("backbone"), SETTINGS.configurations["two_phase"]
    if len(backbone.layers) <= 100:
        with pytest.raises(UserError, match=f"from layer 100 on, but this backbone has {len(backbone.layers)} layers"):
            freeze.check(backbone, phases)
        return
    freeze.check(backbone, phases)
    freeze.apply(backbone, phases[1], phases)
    model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
    before = [[weight.numpy() for weight in layer.weights] for layer in backbone.layers]
    model.train_on_batch(pixels(row.smallest), np.array([1, 4]))
    changed = [
        any(not np.array_equal(x, y.numpy()) for x, y in zip(old, layer.weights, strict=True))
        for old, layer in zip(before, backbone.layers, strict=True)
    ]
    assert not any(changed[:100]), name
    assert any(changed[100:]), name
    normalisations = [layer for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert not any(layer.trainable for layer in normalisations)


@pytest.mark.parametrize("mode", sorted({row.preprocessing for row in SETTINGS.backbones.values()}))
def test_preprocessing_takes_whole_range_as_uint8(mode):
    values = preprocessing.make(mode, 32).predict_on_batch(np.full((1, 32, 32, 3), 255, np.uint8))
    assert values.min() > 0


def test_tokens_become_the_feature_map_row_by_row():
    row = SETTINGS.backbones["dinov2_small"].model_copy(
        update={
            "arguments": {
                **SETTINGS.backbones["dinov2_small"].arguments,
                "num_layers": 1,
                "hidden_dim": 12,
                "intermediate_dim": 8,
                "position_embedding_shape": [42, 42, 3],
            }
        }
    )
    backbone = backbones.make(row, 42, None)
    assert backbone.output.shape == (None, 3, 3, 12)
    images = np.random.default_rng(0).normal(size=(2, 42, 42, 3)).astype("float32")
    tokens = keras.Model(backbone.inputs[0], backbone.get_layer("backbone_layernorm").output)(images)
    assert tokens.shape == (2, 10, 12)
    features = backbone(images)
    for row_of_patches in range(3):
        for column in range(3):
            token = tokens[:, 1 + 3 * row_of_patches + column]
            np.testing.assert_array_equal(features[:, row_of_patches, column], token)
