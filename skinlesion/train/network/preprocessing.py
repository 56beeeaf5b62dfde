"""Preprocessing as the first part of the model, so that callers always pass RGB 0-255.

The modes are those of keras.applications.imagenet_utils.preprocess_input.
"""

from skinlesion.model.backend import keras

TORCH_MEAN, TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# mode -> (channels are reversed to BGR, scale, offset) of reversed * scale + offset
MODES: dict[str, tuple[bool, list | float, list | float]] = {
    "caffe": (True, 1.0, [-103.939, -116.779, -123.68]),
    "tf": (False, 1 / 127.5, -1.0),
    "torch": (
        False,
        [1 / (255 * deviation) for deviation in TORCH_DEVIATION],
        [-mean / deviation for mean, deviation in zip(TORCH_MEAN, TORCH_DEVIATION, strict=True)],
    ),
}


def build_preprocessing(mode: str, size: int) -> keras.Model:
    """Build the sub-model `preprocessing`: RGB 0-255 (N, size, size, 3) to the values that the backbone expects."""
    reverse, scale, offset = MODES[mode]
    pixels = keras.Input((size, size, 3), name="pixels", dtype="float32")
    channels = keras.ops.flip(pixels, axis=-1) if reverse else pixels
    scaled = keras.layers.Rescaling(scale, offset, dtype="float32", name="rescaling")(channels)
    return keras.Model(pixels, scaled, name="preprocessing")
