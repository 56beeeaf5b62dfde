"""Online augmentation: Keras layers before the classifier, with new random values for every image, in training only.

They run on the device that trains. The saved model does not contain them.
"""

from collections.abc import Callable

from skinlesion.model.backend import keras
from skinlesion.runtime.params.sections import Augmentation
from skinlesion.train.machine import resampling

layers, ops = keras.layers, keras.ops
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
FLIPS = {"flip_horizontal", "flip_vertical"}


def stack_rows(*entries: keras.KerasTensor | float) -> keras.KerasTensor:
    """Six entries, (N, 1) or numbers, as the rows of 3x3 matrices: (N, 8), without the last 1."""
    ones = ops.ones_like(next(entry for entry in entries if not isinstance(entry, float)))
    return ops.concatenate([entry * ones for entry in (*entries, 0.0, 0.0)], axis=1)


def draw_sign(drawn: dict) -> keras.KerasTensor:
    """-1 for the images that a flip mirrors, 1 for the others: (N, 1)."""
    return ops.where(ops.reshape(drawn["flips"], (-1, 1)), -1.0, 1.0)


def scale(x: keras.KerasTensor | float, y: keras.KerasTensor | float, height: int, width: int) -> keras.KerasTensor:
    """The matrix that scales about the image's centre; a factor of -1 mirrors."""
    return stack_rows(x, 0.0, (width - 1.0) / 2.0 * (1.0 - x), 0.0, y, (height - 1.0) / 2.0 * (1.0 - y))


def shift(drawn: dict, *_: int) -> keras.KerasTensor:
    x, y = ops.split(drawn["translations"], 2, axis=1)
    return stack_rows(1.0, 0.0, -x, 0.0, 1.0, -y)


def shear(drawn: dict, *_: int) -> keras.KerasTensor:
    x, y = ops.split(drawn["shear_factor"], 2, axis=1)
    return stack_rows(1.0, x, 0.0, y, 1.0, 0.0)


# operation -> matrix from a pixel of the result to its source, made of what Keras' layer has drawn and the image's
# height and width in px: the eight numbers (N, 8) of ops.image.affine_transform
MATRICES: dict[str, Callable[[dict, int, int], keras.KerasTensor]] = {
    "flip_horizontal": lambda drawn, *size: scale(draw_sign(drawn), 1.0, *size),
    "flip_vertical": lambda drawn, *size: scale(1.0, draw_sign(drawn), *size),
    "rotate": lambda drawn, *_: drawn["rotation_matrix"],
    "zoom": lambda drawn, *size: scale(drawn["width_zoom"], drawn["height_zoom"], *size),
    "shift": shift,
    "shear": shear,
}


class Geometry(layers.Layer):
    """Several of Keras' geometric layers in one resampling: several times faster, and sharper.

    Args:
        steps: operation of MATRICES -> its layer, in their order.
    """

    def __init__(self, steps: dict[str, keras.Layer], **rest) -> None:
        super().__init__(**rest)
        self.steps = steps

    def build(self, shape: tuple[int | None, ...]) -> None:
        for layer in self.steps.values():
            layer.build(shape)

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        if not training:
            return images
        number, height, width, _ = ops.shape(images)
        whole = ops.eye(3)
        for name, layer in self.steps.items():
            matrix = MATRICES[name](layer.get_random_transformation(images), height, width)
            whole = ops.matmul(whole, ops.reshape(ops.concatenate([matrix, ops.ones((number, 1))], axis=1), (-1, 3, 3)))
        return resampling.affine(images, ops.reshape(whole, (-1, 9))[:, :6])


def make_layers(ranges: Augmentation, seed: int) -> list[keras.Layer]:
    """The layers of the operations whose range is above 0, from RGB 0-255 (N, H, W, 3) to the same, in float32."""
    made = {
        name: layer(getattr(ranges, name), seed=(seed + number) % 2**31, dtype="float32", name=f"augment_{name}")
        for number, (name, layer) in enumerate(LAYERS.items())
        if getattr(ranges, name)
    }
    steps = {name: layer for name, layer in made.items() if name in MATRICES}
    if len(steps) < 2 or steps.keys() <= FLIPS:
        return list(made.values())
    others = [layer for name, layer in made.items() if name not in steps]
    return [Geometry(steps, dtype="float32", name="augment_geometry"), *others]


def prepend(classifier: keras.Model, ranges: Augmentation | None, seed: int) -> keras.Model:
    """The model to train: `classifier` itself, or augmentation and then `classifier`, with the same weights."""
    if ranges is None:
        return classifier
    image = keras.Input(classifier.input_shape[1:], name="image", dtype="float32")
    return keras.Sequential([image, *make_layers(ranges, seed), classifier], name="augmented")
