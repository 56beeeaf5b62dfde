"""Bilinear affine transforms of images, reflected at the borders: Keras' ops.image.affine_transform, but faster.

Under TensorFlow, Keras' own computes the source position once per colour channel.
"""

from skinlesion.model.backend import keras
from skinlesion.train.machine import backends

ops = keras.ops


@backends.current.compile
def affine(images: keras.KerasTensor, transforms: keras.KerasTensor) -> keras.KerasTensor:
    """Resample images: pixel (x, y) of the result comes from (a x + b y + c, d x + e y + f).

    Args:
        images: (N, H, W, C).
        transforms: float32 (N, 6), a to f of each image, in pixels.

    Returns:
        float32 (N, H, W, C)
    """
    number, height, width, channels = ops.shape(images)
    a, b, c, d, e, f = (ops.reshape(transforms[:, column], (-1, 1, 1)) for column in range(6))
    x, y = ops.arange(width, dtype="float32"), ops.reshape(ops.arange(height, dtype="float32"), (-1, 1))
    left, right, over = neighbours(a * x + b * y + c, width)
    top, bottom, under = neighbours(d * x + e * y + f, height)
    pixels = ops.reshape(images, (-1, channels))
    first = ops.reshape(ops.arange(number) * (height * width), (-1, 1, 1))  # of each image, among all pixels

    def interpolated_row(y: keras.KerasTensor) -> keras.KerasTensor:
        low, high = (ops.cast(ops.take(pixels, first + y * width + x, axis=0), "float32") for x in (left, right))
        return low + (high - low) * over

    above = interpolated_row(top)
    return above + (interpolated_row(bottom) - above) * under


def neighbours(
    position: keras.KerasTensor, size: int
) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """The two whole positions around each (N, H, W), reflected into 0 to size - 1, and the fraction between them."""
    beyond = ops.mod(position + 0.5, 2.0 * size)
    position = ops.minimum(beyond, 2.0 * size - beyond) - 0.5
    low = ops.floor(position)
    first, second = (ops.cast(ops.clip(whole, 0, size - 1), "int32") for whole in (low, low + 1))
    return first, second, ops.expand_dims(position - low, -1)
