"""Filter gradients of convolutions over small feature maps, as one matrix product.

For bfloat16 on the CPU, TensorFlow's own kernel reaches half of its speed or less where a map has few pixels, as in the
last stages of a classifier.
"""

import tensorflow as tf

from skinlesion.model.backend import keras

MOST_PIXELS = 8 * 8  # of a feature map; TensorFlow's kernel is as fast on larger ones


def is_faster_for(layer: keras.Layer) -> bool:
    """Whether `convolve` computes this layer, and faster than TensorFlow on small maps."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.compute_dtype == "bfloat16"
        and not tf.config.list_logical_devices("GPU")
        and (layer.data_format, layer.padding, layer.groups) == ("channels_last", "same", 1)
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.kernel_size != (1, 1)  # copying the patches would cost as much as the product saves
    )


def convolve(layer: keras.layers.Conv2D, inputs: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
    """Conv2D.convolution_op, from inputs (N, H, W, C) and kernel (h, w, C, D) to (N, H, W, D)."""
    height, width = inputs.shape[1:3]
    if None in (height, width) or height * width > MOST_PIXELS:
        return type(layer).convolution_op(layer, inputs, kernel)

    @tf.custom_gradient
    def with_gradients(inputs, kernel):
        def gradients(outputs):
            of_inputs = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(inputs), filter=kernel, out_backprop=outputs, strides=[1] * 4, padding="SAME"
            )
            return of_inputs, filter_gradient(inputs, outputs, kernel.shape)

        return tf.nn.conv2d(inputs, kernel, 1, "SAME"), gradients

    return with_gradients(inputs, tf.convert_to_tensor(kernel))


def filter_gradient(inputs: tf.Tensor, outputs: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """The filter gradient (h, w, C, D) of a convolution of stride 1 with padding "same".

    Args:
        inputs: of the convolution, (N, H, W, C).
        outputs: the gradient of its outputs, (N, H, W, D).
        shape: (h, w, C, D).
    """
    rows, columns, channels, filters = shape
    height, width = inputs.shape[1:3]
    top, left = (rows - 1) // 2, (columns - 1) // 2
    padded = tf.pad(inputs, ((0, 0), (top, rows - 1 - top), (left, columns - 1 - left), (0, 0)))
    shifted = [padded[:, y : y + height, x : x + width] for y in range(rows) for x in range(columns)]
    patches = tf.reshape(tf.concat(shifted, axis=-1), (-1, rows * columns * channels))
    return tf.reshape(tf.matmul(patches, tf.reshape(outputs, (-1, filters)), transpose_a=True), shape)
