"""Filter gradients as matrix products equal TensorFlow's own, on the feature maps where they are used."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.machine import filters_tensorflow as filters

layers = keras.layers


@pytest.mark.parametrize("kernel", [(3, 3), (1, 7), (2, 4)])
@pytest.mark.parametrize("area", [(8, 8), (1, 5)])
def test_the_gradient_equals_tensorflows(kernel: tuple[int, int], area: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    inputs, outputs = (tf.constant(random.normal(size=(3, *area, channels)).astype("float32")) for channels in (5, 6))
    weights = tf.Variable(random.normal(size=(*kernel, 5, 6)).astype("float32"))
    with tf.GradientTape() as tape:
        convolved = tf.nn.conv2d(inputs, weights, 1, "SAME")
    expected = tape.gradient(convolved, weights, outputs)
    ours = filters.filter_gradient(inputs, outputs, weights.shape)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.bfloat16
@pytest.mark.parametrize(("side", "used"), [(4, 1), (8, 1), (9, 0)])
def test_a_convolution_over_small_maps_uses_it_and_equals_keras_own(
    side: int, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras.utils.set_random_seed(1)
    layer = layers.Conv2D(12, 3, padding="same", dtype="mixed_bfloat16")
    layer.build((None, side, side, 10))
    inputs = tf.Variable(np.random.default_rng(0).normal(size=(7, side, side, 10)).astype("float32"))
    calls, gradient = [], filters.filter_gradient
    monkeypatch.setattr(filters, "filter_gradient", lambda *given: calls.append(given) or gradient(*given))

    def outputs_and_gradients(convolution) -> list[tf.Tensor]:
        layer.convolution_op = lambda *given: convolution(layer, *given)
        with tf.GradientTape() as tape:
            outputs = layer(tf.cast(inputs, tf.bfloat16))
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        return [outputs, *tape.gradient(loss, [inputs, layer.bias.value, layer.kernel.value])]

    expected, ours = outputs_and_gradients(type(layer).convolution_op), outputs_and_gradients(filters.convolve)
    assert len(calls) == used
    for value, wanted in zip(ours, expected, strict=True):
        scale = np.abs(tf.cast(wanted, tf.float32)).max()  # without oneDNN, TensorFlow's own is up to 4% wrong
        np.testing.assert_allclose(
            tf.cast(value, tf.float32), tf.cast(wanted, tf.float32), rtol=0.02, atol=0.05 * scale
        )


@pytest.mark.parametrize(
    ("settings", "gpus", "faster"),
    [
        ({}, [], True),
        ({}, ["GPU:0"], False),
        ({"kernel_size": 1}, [], False),
        ({"strides": 2}, [], False),
        ({"dilation_rate": 2}, [], False),
        ({"groups": 2}, [], False),
        ({"padding": "valid"}, [], False),
        ({"dtype": "float32"}, [], False),
    ],
)
def test_it_replaces_only_convolutions_that_it_computes_faster(settings, gpus, faster, monkeypatch) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    settings = {"filters": 4, "kernel_size": 3, "padding": "same", "dtype": "mixed_bfloat16", **settings}
    assert filters.is_faster_for(layers.Conv2D(**settings)) is faster
    assert not filters.is_faster_for(layers.DepthwiseConv2D(3, padding="same", dtype="mixed_bfloat16"))
