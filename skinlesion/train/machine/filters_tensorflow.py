"""Filter gradients of convolutions over small maps, as one matrix product.

TensorFlow's kernel of them for bfloat16 on the CPU reaches half its speed or less where a map has few pixels, as those
of a classifier's last stages have.
"""

import tensorflow as tf

from skinlesion.model.backend import keras

MOST_PIXELS = 8 * 8  # of a map; on larger ones the kernel is as fast


def fits(layer: keras.Layer) -> bool:
    """Whether `convolution` computes what the layer does, sooner on small maps."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.compute_dtype == "bfloat16"
        and not tf.config.list_logical_devices("GPU")
        and (layer.data_format, layer.padding, layer.groups) == ("channels_last", "same", 1)
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.kernel_size != (1, 1)  # whose copies would cost what the product saves
    )


def convolution(layer: keras.layers.Conv2D, inputs: tf.Tensor, kernel: tf.Variable) -> tf.Tensor:
    """What Conv2D.convolution_op does, from inputs (N, H, W, C) and kernel (h, w, C, D) to (N, H, W, D)."""
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
    """The gradient of the filters of a convolution at stride 1 that keeps height and width.

    Args:
        inputs: what it was given (N, H, W, C).
        outputs: the gradient of what it gave (N, H, W, D).
        shape: of the filters and their gradient (h, w, C, D).
    """
    rows, columns, channels, filters = shape
    height, width = inputs.shape[1:3]
    top, left = (rows - 1) // 2, (columns - 1) // 2
    padded = tf.pad(inputs, ((0, 0), (top, rows - 1 - top), (left, columns - 1 - left), (0, 0)))
    seen = [padded[:, y : y + height, x : x + width] for y in range(rows) for x in range(columns)]
    patches = tf.reshape(tf.concat(seen, axis=-1), (-1, rows * columns * channels))
    return tf.reshape(tf.matmul(patches, tf.reshape(outputs, (-1, filters)), transpose_a=True), shape)
