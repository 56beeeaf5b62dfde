"""Convolutions over small maps give the same outputs and gradients as Keras' own."""

from functools import partial
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.machine import processor, small_maps_tensorflow

pytestmark = pytest.mark.training


def gradients_of(layer: keras.layers.Conv2D, convolution, inputs: np.ndarray) -> list[np.ndarray]:
    """Outputs, and the gradients of the inputs and of the filters, for random gradients of the outputs."""
    pixels = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        outputs = convolution(pixels, layer.kernel)
    random = np.random.default_rng(1).normal(size=outputs.shape).astype("float32")
    kernel = layer.kernel.value
    return [outputs, *tape.gradient(outputs, [pixels, kernel], tf.convert_to_tensor(random))]


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2, 3, (2, 1)])
@pytest.mark.parametrize(("size", "maps"), [(1, [(5, 3)]), (2, [(2, 5)]), (3, [(3, 3), (8, 8)]), ((5, 3), [(7, 4)])])
def test_outputs_and_gradients_equal_keras_own(size, maps, strides, padding):
    for height, width in maps:
        inputs = np.random.default_rng(0).normal(size=(4, height, width, 3)).astype("float32")
        layer = keras.layers.Conv2D(6, size, strides=strides, padding=padding)
        layer.build(inputs.shape)
        ours = gradients_of(layer, partial(small_maps_tensorflow.convolve, layer), inputs)
        for actual, expected in zip(ours, gradients_of(layer, layer.convolution_op, inputs), strict=True):
            np.testing.assert_allclose(actual, expected, atol=1e-4)


@pytest.mark.bfloat16
@pytest.mark.parametrize(("size", "strides"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_it_trains_a_graph_for_batches_of_any_size_in_bfloat16(size, strides):
    pixels = tf.cast(np.random.default_rng(0).normal(size=(4, 5, 5, 32)), tf.bfloat16)
    layer = keras.layers.Conv2D(6, size, strides=strides, padding="same", dtype="mixed_bfloat16")
    layer.build((None, 5, 5, 32))
    ends = []
    for convolution in (layer.convolution_op, partial(small_maps_tensorflow.convolve, layer)):

        @tf.function(input_signature=[tf.TensorSpec((None, 5, 5, 32), tf.bfloat16)])
        def compute(inputs, convolution=convolution):
            kernel = tf.cast(layer.kernel.value, tf.bfloat16)
            loss = tf.reduce_sum(tf.cast(convolution(inputs, kernel), tf.float32) ** 2)
            return tf.gradients(loss, [inputs, kernel])

        ends.append([tf.cast(gradient, tf.float32).numpy() for gradient in compute(pixels)])
    for actual, expected in zip(*ends, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0.05, atol=0.02 * np.abs(expected).max())


def test_a_filter_pixel_that_meets_padding_alone_has_no_gradient():
    """The outer pixels of a filter of 7x7 on a map of 2x2."""
    inputs = np.ones((2, 2, 2, 3), "float32")
    layer = keras.layers.Conv2D(4, 7, padding="same")
    layer.build(inputs.shape)
    *_, ours = gradients_of(layer, partial(small_maps_tensorflow.convolve, layer), inputs)
    *_, expected = gradients_of(layer, layer.convolution_op, inputs)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert not np.any(ours[0]) and np.all(np.any(ours[2:5, 2:5], axis=(2, 3)))


@pytest.mark.parametrize(("side", "products"), [(8, True), (9, False)])
def test_larger_maps_keep_keras_own_convolution(side, products, monkeypatch):
    product = Mock(wraps=small_maps_tensorflow.filter_gradient)
    monkeypatch.setattr(small_maps_tensorflow, "filter_gradient", product)
    inputs = np.ones((1, side, side, 2), "float32")
    layer = keras.layers.Conv2D(2, 3)
    layer.build(inputs.shape)
    gradients_of(layer, partial(small_maps_tensorflow.convolve, layer), inputs)
    assert product.called is products


@pytest.mark.bfloat16
@pytest.mark.parametrize(("kind", "faster"), [("AVX512-BF16", True), ("AVX-512", False), ("AVX2", False)])
def test_it_is_used_in_bfloat16_alone_and_where_the_cpu_computes_that_itself(kind, faster, monkeypatch):
    monkeypatch.setenv(processor.VARIABLE, kind)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda _: [])
    layer = keras.layers.Conv2D(2, 3, dtype="mixed_bfloat16")
    assert small_maps_tensorflow.is_faster_for(layer) is faster
    assert not small_maps_tensorflow.is_faster_for(keras.layers.Conv2D(2, 3))
