"""Convolutions over small feature maps in bfloat16 on the CPU: filter gradients, and 1x1 filters, as matrix products.

TensorFlow's own kernels reach half of that speed or less there. The last stages of a classifier are such convolutions.
"""

from collections.abc import Iterator

import tensorflow as tf

from skinlesion.model.backend import keras
from skinlesion.train.machine import processor

MOST_PIXELS = 8 * 8  # of the map that goes in; on larger ones TensorFlow's kernels are as fast


def is_bfloat16_on_cpu(layer: keras.Layer) -> bool:
    return layer.compute_dtype == "bfloat16" and not tf.config.list_logical_devices("GPU")


def is_faster_for(layer: keras.Layer) -> bool:
    """Whether `convolve` computes this layer, and faster than TensorFlow on small maps.

    That was measured on the CPUs that compute bfloat16 themselves, so it is used on these alone.
    """
    return (
        type(layer) is keras.layers.Conv2D
        and is_bfloat16_on_cpu(layer)
        and processor.kind() == "AVX512-BF16"
        and (layer.data_format, layer.groups, layer.dilation_rate) == ("channels_last", 1, (1, 1))
    )


def convolve(layer: keras.layers.Conv2D, inputs: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
    """Conv2D.convolution_op, from inputs (N, H, W, C) and kernel (h, w, C, D) to (N, H', W', D)."""
    _, height, width, channels = inputs.shape
    if None in (height, width) or height * width > MOST_PIXELS:
        return type(layer).convolution_op(layer, inputs, kernel)
    kernel = tf.convert_to_tensor(kernel)
    if layer.kernel_size == layer.strides == (1, 1):
        outputs = tf.matmul(tf.reshape(inputs, (-1, channels)), kernel[0, 0])
        return tf.reshape(outputs, (-1, height, width, layer.filters))
    window = {"strides": [1, *layer.strides, 1], "padding": layer.padding.upper()}

    @tf.custom_gradient
    def with_gradients(inputs, kernel):
        def gradients(output_gradient):
            of_inputs = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(inputs), filter=kernel, out_backprop=output_gradient, **window
            )
            return of_inputs, filter_gradient(inputs, output_gradient, kernel.shape, layer.strides)

        return tf.nn.conv2d(inputs, kernel, **window), gradients

    return with_gradients(inputs, kernel)


def filter_gradient(
    inputs: tf.Tensor, output_gradient: tf.Tensor, shape: tf.TensorShape, strides: tuple[int, int]
) -> tf.Tensor:
    """The gradient (h, w, C, D) of the filters of a convolution with padding "same" or "valid".

    It is one product per pixel of a filter, over the outputs for which that pixel meets no padding.

    Args:
        inputs: of the convolution, (N, H, W, C).
        output_gradient: (N, H', W', D).
        shape: (h, w, C, D).
    """
    rows, columns, channels, filters = shape
    products = []
    for y, y_out in windows(rows, inputs.shape[1], output_gradient.shape[1], strides[0]):
        for x, x_out in windows(columns, inputs.shape[2], output_gradient.shape[2], strides[1]):
            seen = tf.reshape(inputs[:, y, x], (-1, channels))
            gradient = tf.reshape(output_gradient[:, y_out, x_out], (-1, filters))
            products.append(tf.matmul(seen, gradient, transpose_a=True))
    return tf.reshape(tf.stack(products), shape)


def windows(extent: int, inputs: int, outputs: int, stride: int) -> Iterator[tuple[slice, slice]]:
    """For each pixel of a filter along one axis, the inputs that it meets and the outputs that they go into.

    Args:
        extent, inputs, outputs: the pixels of the filter and of both maps along this axis.
    """
    before = max((outputs - 1) * stride + extent - inputs, 0) // 2  # pixels of padding in front
    for offset in range(-before, extent - before):
        first = max(-(offset // stride), 0)
        end = max(min((inputs - 1 - offset) // stride + 1, outputs), first)
        start = first * stride + offset
        yield slice(start, start + (end - first) * stride, stride), slice(first, end)
