"""Filter gradients as matrix products are TensorFlow's own, on the maps where they are taken."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.machine import filters_tensorflow as filters

layers = keras.layers


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [])


@pytest.mark.parametrize("kernel", [(3, 3), (1, 7), (5, 1), (2, 4)])
@pytest.mark.parametrize("area", [(8, 8), (1, 5), (4, 4)])
def test_the_gradient_is_tensorflows(kernel: tuple[int, int], area: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    inputs, outputs = (tf.constant(random.normal(size=(3, *area, channels)).astype("float32")) for channels in (5, 6))
    weights = tf.Variable(random.normal(size=(*kernel, 5, 6)).astype("float32"))
    with tf.GradientTape() as tape:
        convolved = tf.nn.conv2d(inputs, weights, 1, "SAME")
    expected = tape.gradient(convolved, weights, outputs)
    found = filters.filter_gradient(inputs, outputs, weights.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def by_tensorflow(inputs: tf.Tensor, outputs: tf.Tensor, shape: tf.TensorShape, dtype: tf.DType) -> tf.Tensor:
    """What `filter_gradient` gives, computed by TensorFlow's kernel of that precision."""
    return tf.raw_ops.Conv2DBackpropFilter(
        input=tf.cast(inputs, dtype),
        filter_sizes=shape,
        out_backprop=tf.cast(outputs, dtype),
        strides=[1, 1, 1, 1],
        padding="SAME",
    )


@pytest.mark.bfloat16
@pytest.mark.parametrize(("side", "taken"), [(4, 1), (8, 1), (9, 0)])
def test_a_convolution_over_small_maps_takes_it_and_gives_what_keras_does(
    side: int, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras.utils.set_random_seed(1)
    layer = layers.Conv2D(12, 3, padding="same", dtype="mixed_bfloat16")
    layer.build((None, side, side, 10))
    inputs = tf.Variable(np.random.default_rng(0).normal(size=(7, side, side, 10)).astype("float32"))
    calls, gradient = [], filters.filter_gradient
    monkeypatch.setattr(filters, "filter_gradient", lambda *given: calls.append(given) or gradient(*given))

    def outputs_and_gradients(convolution) -> list[tf.Tensor]:
        """The outputs, and the gradients of inputs, bias and kernel."""
        layer.convolution_op = lambda *given: convolution(layer, *given)
        with tf.GradientTape() as tape:
            outputs = layer(tf.cast(inputs, tf.bfloat16))
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        return [outputs, *tape.gradient(loss, [inputs, layer.bias.value, layer.kernel.value])]

    *expected, of_kernel = outputs_and_gradients(type(layer).convolution_op)
    assert not calls
    *found, ours = outputs_and_gradients(filters.convolution)
    assert len(calls) == taken
    assert [one.dtype for one in (*found, ours)] == [one.dtype for one in (*expected, of_kernel)]
    # Where oneDNN is off, the kernel's gradient by Keras is up to 4% away from the truth, ours is not.
    truth = by_tensorflow(tf.cast(inputs, tf.bfloat16), 2 * found[0], ours.shape, tf.float64)
    for one, other in zip((*found, ours), (*expected, truth if taken else of_kernel), strict=True):
        wanted = tf.cast(other, tf.float32).numpy()
        np.testing.assert_allclose(tf.cast(one, tf.float32), wanted, rtol=0.02, atol=0.01 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("settings", "fitting"),
    [
        ({}, True),
        ({"kernel_size": (1, 7)}, True),
        ({"kernel_size": 1}, False),
        ({"strides": 2}, False),
        ({"dilation_rate": 2}, False),
        ({"groups": 2}, False),
        ({"padding": "valid"}, False),
        ({"dtype": "float32"}, False),
    ],
)
def test_only_convolutions_that_it_computes_sooner_are_given_to_it(settings: dict, fitting: bool) -> None:
    how = {"filters": 4, "kernel_size": 3, "padding": "same", "dtype": "mixed_bfloat16", **settings}
    assert filters.fits(layers.Conv2D(**how)) is fitting


def test_on_a_gpu_it_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [f"{kind}:0"])
    assert not filters.fits(layers.Conv2D(4, 3, padding="same", dtype="mixed_bfloat16"))


def test_other_layers_are_not() -> None:
    assert not filters.fits(layers.DepthwiseConv2D(3, padding="same", dtype="mixed_bfloat16"))
    assert not filters.fits(layers.Dense(3, dtype="mixed_bfloat16"))


@pytest.mark.bfloat16
def test_in_bfloat16_it_is_as_near_to_the_truth_as_tensorflows() -> None:
    random = np.random.default_rng(0)
    inputs, outputs = (tf.cast(random.normal(size=(16, 5, 5, 32)), tf.bfloat16) for _ in range(2))
    shape = tf.TensorShape((3, 3, 32, 32))
    truth, theirs = (by_tensorflow(inputs, outputs, shape, dtype) for dtype in (tf.float64, tf.bfloat16))
    ours = filters.filter_gradient(inputs, outputs, shape)
    errors = [np.sqrt(np.mean((tf.cast(found, tf.float64) - truth) ** 2)) for found in (ours, theirs)]
    assert 0 < errors[0] < 1.01 * errors[1]
