"""Grad-CAM: the paper's arithmetic, and on a planted square it points at the square.

All tests are repeated under each of Keras' other backends that is installed.
"""

import importlib.util
import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.explain import gradcam
from skinlesion.model.backend import keras
from skinlesion.train.network import heads, preprocessing
from tests.helpers.chain import ROOT, load_sample

pytestmark = pytest.mark.training

SIZE, SQUARE = 32, 8
COLOURS = [(230, 40, 40), (40, 230, 40), (40, 40, 230)]  # one class each
HEADS = load_sample().heads


def make_classifier(
    channels: int, head: str, attention: str = "none", strides: tuple[int, ...] = (2, 2)
) -> keras.Model:
    """Make a tiny model with the same three named layers as `build`."""
    pixels = keras.Input((SIZE, SIZE, 3))
    x = pixels
    for stride in strides:
        x = keras.layers.Conv2D(channels, 3, stride, padding="same", activation="relu")(x)
    body = keras.Model(pixels, x, name="backbone")
    image = keras.Input((SIZE, SIZE, 3))
    features = body(preprocessing.build_preprocessing("tf", SIZE)(image))
    return keras.Model(image, heads.build_head(HEADS[head], body.output.shape[1:], attention)(features))


def plant_squares(number: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make grey noise with a coloured square at a random position.

    Returns:
        images uint8 (N, 32, 32, 3), labels (N,) by the square's colour, masks bool (N, 32, 32) of the square.
    """
    random = np.random.default_rng(seed)
    images = random.integers(90, 166, (number, SIZE, SIZE, 3), dtype=np.uint8)
    labels = random.integers(0, len(COLOURS), number)
    masks = np.zeros((number, SIZE, SIZE), bool)
    for mask, (top, left) in zip(masks, random.integers(0, SIZE - SQUARE + 1, (number, 2)), strict=True):
        mask[top : top + SQUARE, left : left + SQUARE] = True
    images[masks] = np.repeat(np.array(COLOURS, np.uint8)[labels], SQUARE**2, axis=0)
    return images, labels, masks


@cache
def train_classifier(head: str, attention: str = "none") -> keras.Model:
    """Train a classifier of the colours."""
    keras.utils.set_random_seed(1)
    model = make_classifier(12, head, attention)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    images, labels, _ = plant_squares(256, seed=1)
    model.fit(images.astype("float32"), labels, batch_size=32, epochs=8, verbose=0)
    return model


@pytest.mark.parametrize(("head", "attention"), [("gap", "none"), ("gap", "se"), ("conv", "none")])
def test_the_heat_lies_on_the_planted_square(head, attention):
    """The square covers at most 14% of the map; the hottest cell and more than half of the heat are there."""
    images, labels, masks = plant_squares(48, seed=2)
    model = train_classifier(head, attention)
    predicted = model.predict_on_batch(images).argmax(axis=1)
    assert (predicted == labels).mean() > 0.9, "it has learned"
    maps = gradcam.Explainer(model).heatmaps(images, predicted)
    assert maps.shape == (48, 8, 8)
    covered = masks.reshape(48, 8, 4, 8, 4).mean(axis=(2, 4))  # share of each cell in the square
    hottest = maps.reshape(48, -1).argmax(axis=1)
    assert (covered.reshape(48, -1)[np.arange(48), hottest] > 0).mean() > 0.95
    inside = (maps * (covered > 0)).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    assert np.median(inside) > 0.5


def test_through_hidden_layers_it_is_the_chain_rule(monkeypatch):
    """The head gap_dense by hand: dense after ReLU after dense after batch norm after the mean."""
    keras.utils.set_random_seed(4)
    model = make_classifier(4, "gap_dense")
    images, _, _ = plant_squares(3, seed=4)
    labels, head = np.array([1, 4, 6]), model.get_layer("head")
    scaled = model.get_layer("preprocessing")(images.astype("float32"))
    features = model.get_layer("backbone").predict_on_batch(scaled)
    norm, hidden, last = (layer for layer in head.layers if layer.weights)
    deviation = np.sqrt(norm.get_weights()[3] + norm.epsilon)
    (first, bias), (second, _) = hidden.get_weights(), last.get_weights()
    active = features.mean(axis=(1, 2)) / deviation @ first + bias > 0
    gradients = (second.T[labels] * active) @ first.T / deviation
    expected = np.maximum(np.einsum("nhwc,nc->nhw", features, gradients), 0)
    expected /= expected.max(axis=(1, 2), keepdims=True)
    monkeypatch.setattr(gradcam, "VIEWS", ((1, 1),))
    np.testing.assert_allclose(gradcam.Explainer(model).heatmaps(images, labels), expected, atol=1e-5)
    assert last.activation is keras.activations.softmax, "the model itself is unchanged"


def test_a_certain_model_has_maps_too():
    """At a probability of 1 the gradient of the softmax is 0, but not that of the logit."""
    model = train_classifier("gap")
    images, labels, _ = plant_squares(8, seed=6)
    before = gradcam.Explainer(model).heatmaps(images, labels)
    last = model.get_layer("head").get_layer("probabilities")
    kernel, bias = last.get_weights()
    try:
        last.set_weights([kernel * 1000, bias * 1000])
        assert model.predict_on_batch(images).max(axis=1).min() > 1 - 1e-6, "to float32's last digits: CPUs round apart"
        np.testing.assert_allclose(gradcam.Explainer(model).heatmaps(images, labels), before, atol=1e-4)
    finally:
        last.set_weights([kernel, bias])


def test_maps_are_0_to_1_and_0_everywhere_without_support():
    model = make_classifier(3, "gap")
    images, _, _ = plant_squares(2, seed=7)
    last = model.get_layer("head").get_layer("probabilities")
    kernel = np.zeros((3, len(CODES)), "float32")
    kernel[:, 0], kernel[:, 1] = 1, -1
    last.set_weights([kernel, np.zeros(len(CODES), "float32")])
    support, against = gradcam.Explainer(model).heatmaps(images, np.array([0, 1]))
    assert (support.min() >= 0, support.max()) == (True, 1)
    assert (against == 0).all()


def test_a_mirror_image_has_the_mirrored_map(monkeypatch):
    """Strides of 2 shift the map towards a corner, so plain maps differ."""
    model = train_classifier("gap")
    images, labels, _ = plant_squares(4, seed=9)
    mirrored = images[:, ::-1, ::-1]
    maps = gradcam.Explainer(model).heatmaps(images, labels)
    np.testing.assert_allclose(gradcam.Explainer(model).heatmaps(mirrored, labels)[:, ::-1, ::-1], maps, atol=1e-5)
    monkeypatch.setattr(gradcam, "VIEWS", ((1, 1),))
    plain = [gradcam.Explainer(model).heatmaps(view, labels) for view in (images, mirrored)]
    assert np.abs(plain[0] - plain[1][:, ::-1, ::-1]).max() > 0.1


def test_the_batch_size_does_not_affect_maps(monkeypatch):
    model = train_classifier("gap")
    images, labels, _ = plant_squares(7, seed=9)
    whole = gradcam.Explainer(model).heatmaps(images, labels)
    monkeypatch.setattr(gradcam, "BATCH", 3)
    np.testing.assert_allclose(gradcam.Explainer(model).heatmaps(images, labels), whole, atol=1e-5)


@pytest.mark.skipif("NESTED" in os.environ, reason="this is one of the runs that it starts")
@pytest.mark.parametrize(
    "backend", ["tensorflow", *(pytest.param(name, marks=pytest.mark.optional) for name in ("jax", "torch"))]
)
def test_under_every_backend(backend):
    if backend == keras.backend.backend():
        pytest.skip("the tests above run under it")
    if not importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "NESTED": "1"}
    command = [sys.executable, "-m", "pytest", "-q", __file__]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
