"""Online augmentation: Keras layers before the classifier, drawn anew for every image, in training only.

They are part of what is trained, never of what is saved.
"""

from collections.abc import Callable

import keras

from skinlesion.sections import Augmentation

layers = keras.layers
REFLECT = {"fill_mode": "reflect"}  # borders are reflected, never black
LEVELS = {"value_range": (0, 255)}

# operation -> layer for a range above 0
LAYERS: dict[str, Callable[..., keras.Layer]] = {
    "flip_horizontal": lambda _, **rest: layers.RandomFlip("horizontal", **rest),
    "flip_vertical": lambda _, **rest: layers.RandomFlip("vertical", **rest),
    "rotate": lambda degrees, **rest: layers.RandomRotation(degrees / 360, **REFLECT, **rest),
    "zoom": lambda part, **rest: layers.RandomZoom(part, **REFLECT, **rest),
    "shift": lambda part, **rest: layers.RandomTranslation(part, part, **REFLECT, **rest),
    "shear": lambda part, **rest: layers.RandomShear(part, part, **REFLECT, **rest),
    # A single number would only raise the contrast.
    "contrast": lambda part, **rest: layers.RandomContrast((part, part), **LEVELS, **rest),
    "brightness": lambda part, **rest: layers.RandomBrightness(part, **LEVELS, **rest),
}


def make(ranges: Augmentation, seed: int) -> list[keras.Layer]:
    """The layers of the operations whose range is above 0, from RGB 0-255 (N, H, W, 3) to the same, in float32."""
    return [
        layer(getattr(ranges, name), seed=(seed + number) % 2**31, dtype="float32", name=f"augment_{name}")
        for number, (name, layer) in enumerate(LAYERS.items())
        if getattr(ranges, name)
    ]


def before(classifier: keras.Model, ranges: Augmentation | None, seed: int) -> keras.Model:
    """What is trained: `classifier` itself, or augmentation and then `classifier`, sharing its weights.

    The two have the same weights in the same order.
    """
    if ranges is None:
        return classifier
    image = keras.Input(classifier.input_shape[1:], name="image", dtype="float32")
    x = image
    for layer in make(ranges, seed):
        x = layer(x)
    return keras.Model(image, classifier(x), name="augmented")
