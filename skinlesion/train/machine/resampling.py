"""Images moved by affine maps, bilinear, reflected at the borders: what ops.image.affine_transform does, several times
faster under TensorFlow, whose kernel for it works out each colour's place anew.
"""

from skinlesion.model.backend import keras
from skinlesion.train.machine import kernels

ops = keras.ops


@kernels.compiled
def affine(images: keras.KerasTensor, maps: keras.KerasTensor) -> keras.KerasTensor:
    """Bring to every pixel (x, y) what lies at (a x + b y + c, d x + e y + f).

    Args:
        images: (N, H, W, C).
        maps: float32 (N, 6), a to f of each image, in pixels.

    Returns:
        float32 (N, H, W, C)
    """
    number, height, width, channels = ops.shape(images)
    a, b, c, d, e, f = (ops.reshape(maps[:, place], (-1, 1, 1)) for place in range(6))
    x, y = ops.arange(width, dtype="float32"), ops.reshape(ops.arange(height, dtype="float32"), (-1, 1))
    left, right, over = between(a * x + b * y + c, width)
    top, bottom, under = between(d * x + e * y + f, height)
    pixels = ops.reshape(images, (-1, channels))
    first = ops.reshape(ops.arange(number) * (height * width), (-1, 1, 1))  # of each image, among all pixels

    def row(y: keras.KerasTensor) -> keras.KerasTensor:
        one, other = (ops.cast(ops.take(pixels, first + y * width + x, axis=0), "float32") for x in (left, right))
        return one + (other - one) * over

    above = row(top)
    return above + (row(bottom) - above) * under


def between(at: keras.KerasTensor, size: int) -> tuple[keras.KerasTensor, keras.KerasTensor, keras.KerasTensor]:
    """The two whole places around each of `at` (N, H, W), reflected into 0 to size - 1, and its part of the way."""
    beyond = ops.mod(at + 0.5, 2.0 * size)
    at = ops.minimum(beyond, 2.0 * size - beyond) - 0.5
    low = ops.floor(at)
    one, other = (ops.cast(ops.clip(place, 0, size - 1), "int32") for place in (low, low + 1))
    return one, other, ops.expand_dims(at - low, -1)
