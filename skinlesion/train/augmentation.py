"""Online augmentation: Keras layers before the classifier, drawn anew for every image, in training only.

They run on the device that trains, and are part of what is trained, never of what is saved.
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


def flip(x: float, y: float) -> Callable[..., keras.KerasTensor]:
    """The matrix of an image mirrored where it was drawn so: x or y is -1."""

    def matrix(_: keras.Layer, drawn: dict, height: int, width: int) -> keras.KerasTensor:
        mirrored = ops.array([[x, 0, (width - 1) * (x < 0), 0, y, (height - 1) * (y < 0), 0, 0]], "float32")
        upright = ops.array([[1, 0, 0, 0, 1, 0, 0, 0]], "float32")
        return ops.where(ops.reshape(drawn["flips"], (-1, 1)), mirrored, upright)

    return matrix


def zoomed(layer: keras.Layer, drawn: dict, height: int, width: int) -> keras.KerasTensor:
    zooms = ops.concatenate([drawn["width_zoom"], drawn["height_zoom"]], axis=1)
    return layer._get_zoom_matrix(zooms, height, width)


# operation -> from where in the image a pixel comes: the eight numbers (N, 8) of ops.image.affine_transform, which
# Keras' own layer makes of what it has drawn
MATRICES: dict[str, Callable[[keras.Layer, dict, int, int], keras.KerasTensor]] = {
    "flip_horizontal": flip(-1.0, 1.0),
    "flip_vertical": flip(1.0, -1.0),
    "rotate": lambda layer, drawn, *_: drawn["rotation_matrix"],
    "zoom": zoomed,
    "shift": lambda layer, drawn, *_: layer._get_translation_matrix(drawn["translations"]),
    "shear": lambda layer, drawn, *_: layer._get_shear_matrix(drawn["shear_factor"]),
}


class Geometry(layers.Layer):
    """What several of Keras' layers do to an image in turn, by one resampling: several times faster, and sharper.

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
            matrix = MATRICES[name](layer, layer.get_random_transformation(images), height, width)
            whole = ops.matmul(whole, ops.reshape(ops.concatenate([matrix, ops.ones((number, 1))], axis=1), (-1, 3, 3)))
        return resampling.affine(images, ops.reshape(whole, (-1, 9))[:, :6])


def make(ranges: Augmentation, seed: int) -> list[keras.Layer]:
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
