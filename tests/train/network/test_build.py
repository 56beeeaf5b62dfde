"""Every backbone makes a classifier from plain pixels to seven probabilities, with three named parts."""

import sys
from importlib import import_module

import keras
import numpy as np
import pytest
from keras.applications import imagenet_utils

from skinlesion.runtime import params
from skinlesion.runtime.params import rows
from skinlesion.train.network.build import build
from tests.helpers.chain import ROOT

# Trainable weights and moving statistics of the published networks without their classifiers; test_zoo has all rows.
PARAMETERS = {"resnet18": 11_186_112, "resnet50": 23_587_712, "inception_resnet_v2": 54_336_736}
ROWS = {name: params.load(ROOT / "params.yaml").backbones[name] for name in PARAMETERS}


NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name == "inception_resnet_v2")) for name in PARAMETERS]

pytestmark = pytest.mark.training


def pictures(size: int, number: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, size, size, 3), dtype=np.uint8)


def published_preprocessing(row: rows.Backbone, images: np.ndarray) -> np.ndarray:
    """What the authors of the weights do to images: the function beside the constructor in keras.applications."""
    library, name = row.constructor.rsplit(".", 1)
    if library == "keras_hub.models":  # keras-hub's residual networks are torchvision's and timm's
        return imagenet_utils.preprocess_input(images.astype("float32"), mode="torch")
    module = sys.modules[getattr(import_module(library), name).__module__]
    return module.preprocess_input(images.astype("float32"))


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_are_named_and_chained(name, classifier):
    model, images = classifier(name), pictures(ROWS[name].smallest)
    preprocessing, backbone, head = (model.get_layer(part) for part in ("preprocessing", "backbone", "head"))
    step_by_step = head(backbone(preprocessing(images)))
    np.testing.assert_allclose(model(images), step_by_step, rtol=1e-4, atol=1e-6)
    assert len(backbone.output.shape) == 4, "the head takes a feature map"


@pytest.mark.parametrize("name", NAMES)
def test_bytes_become_probabilities(name, classifier):
    probabilities = keras.ops.convert_to_numpy(classifier(name)(pictures(ROWS[name].smallest)))
    assert probabilities.shape == (3, 7)
    assert probabilities.dtype == np.float32
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert not np.allclose(probabilities[0], probabilities[1], atol=1e-7), "the images make no difference"


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_floats_of_the_same_values_give_the_same(name, classifier):
    model, images = classifier(name), pictures(ROWS[name].smallest)
    np.testing.assert_array_equal(model(images), model(images.astype("float32")))


@pytest.mark.parametrize("name", NAMES)
def test_preprocessing_is_the_published_one(name, classifier):
    images = pictures(ROWS[name].smallest)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    inside = classifier(name).get_layer("preprocessing")(images)
    np.testing.assert_allclose(inside, published_preprocessing(ROWS[name], images), atol=1e-5)


def test_the_three_modes_differ(classifier):
    modes = [ROWS[name].preprocessing for name in PARAMETERS]
    assert sorted(modes) == ["caffe", "tf", "torch"], "the comparison above covers every mode"


@pytest.mark.parametrize("name", NAMES)
def test_backbones_have_the_published_number_of_parameters(name, classifier):
    assert classifier(name).get_layer("backbone").count_params() == PARAMETERS[name]


@pytest.mark.bfloat16
def test_probabilities_are_float32_in_mixed_precision(settings):
    model = build(ROWS["resnet18"], settings.heads["gap"], 32, weights=None, precision="mixed_bfloat16")
    assert model.get_layer("backbone").compute_dtype == "bfloat16"
    assert model.get_layer("preprocessing")(pictures(32)).dtype == "float32", "bfloat16 has 8 bits for a pixel's value"
    assert model(pictures(32)).dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
