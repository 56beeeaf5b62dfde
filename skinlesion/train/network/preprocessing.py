"""Preprocessing as the first part of the model, so that whoever feeds it 0-255 RGB feeds it right.

The modes are those of keras.applications.imagenet_utils.preprocess_input.
"""

from skinlesion.model.backend import keras

TORCH_MEAN, TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)


def caffe(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """RGB to BGR, less the ImageNet mean."""
    return scaled(keras.ops.flip(pixels, axis=-1), 1.0, [-mean for mean in CAFFE_MEAN])


def tf(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """To [-1, 1]."""
    return scaled(pixels, 1 / 127.5, -1.0)


def torch(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """To [0, 1], less the ImageNet mean, over the ImageNet deviation."""
    scale = [1 / (255 * deviation) for deviation in TORCH_DEVIATION]
    offset = [-mean / deviation for mean, deviation in zip(TORCH_MEAN, TORCH_DEVIATION, strict=True)]
    return scaled(pixels, scale, offset)


def scaled(pixels: keras.KerasTensor, scale: list | float, offset: list | float) -> keras.KerasTensor:
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="rescaling")(pixels)


MODES = {"caffe": caffe, "tf": tf, "torch": torch}


def make(mode: str, size: int) -> keras.Model:
    """Build the sub-model `preprocessing`: RGB 0-255 (N, size, size, 3) to what the backbone was trained on."""
    pixels = keras.Input((size, size, 3), name="pixels", dtype="float32")
    return keras.Model(pixels, MODES[mode](pixels), name="preprocessing")
