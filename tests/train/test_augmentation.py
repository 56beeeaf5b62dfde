"""Online augmentation: what each operation may do, in training only, and never in the saved model."""

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from skinlesion.model.predict import probabilities
from skinlesion.runtime.params.sections import Augmentation, Operations
from skinlesion.train import augmentation
from skinlesion.train.fit import fit

pytestmark = pytest.mark.training

OFF = dict.fromkeys(Augmentation.model_fields, 0)
GEOMETRY = {"flip_horizontal": 0.5, "flip_vertical": 0.5, "rotate": 30, "zoom": 0.1, "shift": 0.05, "shear": 0.1}
ALL = {**GEOMETRY, "brightness": 0.1, "contrast": 0.2}
IMAGES = np.random.default_rng(2).integers(0, 256, (40, 16, 16, 3)).astype("float32")


def layer_of(operation: str, value: float, seed: int = 3) -> keras.Layer:
    (layer,) = augmentation.make_layers(Augmentation(**{**OFF, operation: value}), seed)
    return layer


def augment(operation: str, value: float, images: np.ndarray = IMAGES, seed: int = 3) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer_of(operation, value, seed)(images, training=True))


def test_params_names_the_rows_of_the_table():
    assert set(augmentation.LAYERS) == set(Augmentation.model_fields)
    assert set(Operations.model_fields) <= set(Augmentation.model_fields)


@pytest.mark.parametrize(("name", "axis"), [("flip_horizontal", 2), ("flip_vertical", 1)])
def test_flips_mirror_about_half_of_the_images_along_their_axis(name, axis):
    result = augment(name, 0.5)
    same = [np.array_equal(*pair) for pair in zip(IMAGES, result, strict=True)]
    mirrored = [np.array_equal(*pair) for pair in zip(np.flip(IMAGES, axis), result, strict=True)]
    assert all(x != y for x, y in zip(same, mirrored, strict=True))
    assert 10 <= sum(mirrored) <= 30


def test_a_flip_has_no_probability_but_one_half():
    with pytest.raises(ValidationError, match=r"0 \(off\) or 0\.5"):
        Augmentation(**{**OFF, "flip_vertical": 0.3})


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [("rotate", 36, 1 / 10), ("shift", 0.25, 0.25), ("shear", 0.25, 0.25), ("zoom", 0.25, 0.25)],
)
def test_geometry_moves_pixels_within_its_range_and_leaves_no_black_border(name, value, unit):
    settings = layer_of(name, value).get_config()
    factor = next(settings[key] for key in ("factor", "height_factor", "x_factor") if key in settings)
    assert np.max(np.abs(factor)) == pytest.approx(unit)
    np.testing.assert_allclose(augment(name, value, np.full((30, 16, 16, 3), 255, "float32")), 255, atol=1e-3)
    assert np.abs(augment(name, value) - IMAGES).mean() > 5


def apply_in_turn(ranges: Augmentation, seed: int, images: np.ndarray) -> np.ndarray:
    """Keras' own layers one after the other, each with the seed that `make_layers` gives it."""
    for number, (name, layer) in enumerate(augmentation.LAYERS.items()):
        if value := getattr(ranges, name):
            images = layer(value, seed=seed + number, dtype="float32")(images, training=True)
    return keras.ops.convert_to_numpy(images)


def waves(height: int = 48, width: int = 56) -> np.ndarray:
    """Twelve images of slow waves, which several resamplings hardly change."""
    y, x = np.mgrid[:height, :width] / 48
    pitch = np.arange(12)[:, None, None]
    channels = [np.sin(2 * x + 3 * y + pitch), np.cos(3 * x - y + pitch), np.sin(x * y + pitch)]
    return (127 + 100 * np.stack(channels, axis=-1)).astype("float32")


@pytest.mark.parametrize("left_out", [None, *GEOMETRY])
def test_geometry_in_one_resampling_equals_keras_layers_in_turn(left_out):
    """Except what comes from beyond the border, which several layers reflect several times."""
    ranges = Augmentation(**{**OFF, **{name: value for name, value in GEOMETRY.items() if name != left_out}})
    (layer,) = augmentation.make_layers(ranges, 3)
    images = waves()
    result, expected = keras.ops.convert_to_numpy(layer(images, training=True)), apply_in_turn(ranges, 3, images)
    middle = np.s_[:, 18:-18, 22:-22]
    assert np.abs(result[middle] - expected[middle]).max() < 2
    assert np.abs(result[middle] - images[middle]).max() > 20


def test_flips_alone_stay_exact_and_tones_come_after_geometry():
    names = [layer.name for layer in augmentation.make_layers(Augmentation(**ALL), 1)]
    assert names == ["augment_geometry", "augment_contrast", "augment_brightness"]
    flips = Augmentation(**{**OFF, "flip_horizontal": 0.5, "flip_vertical": 0.5})
    names = [layer.name for layer in augmentation.make_layers(flips, 1)]
    assert names == ["augment_flip_horizontal", "augment_flip_vertical"]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_levels_stay_float32_within_0_and_255_in_any_precision(policy):
    keras.config.set_dtype_policy(policy)
    images = IMAGES
    for layer in augmentation.make_layers(Augmentation(**ALL), 1):
        images = layer(images, training=True)
    images = keras.ops.convert_to_numpy(images)
    assert images.dtype == np.float32
    assert 0 <= images.min() < images.max() <= 255


def test_values_differ_between_images_batches_and_seeds_and_repeat_with_a_seed():
    layer = layer_of("rotate", 180)
    same = np.repeat(IMAGES[:1], 8, axis=0)
    first, second = (keras.ops.convert_to_numpy(layer(same, training=True)) for _ in range(2))
    assert len(np.unique(first.reshape(8, -1), axis=0)) == 8
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(augment("rotate", 90, seed=3), augment("rotate", 90, seed=3))
    assert not np.array_equal(augment("rotate", 90, seed=3), augment("rotate", 90, seed=4))


def test_it_acts_in_training_only_and_shares_the_weights(tiny, easy):
    trained = augmentation.prepend(tiny, Augmentation(**ALL), 3)
    np.testing.assert_array_equal(probabilities(trained, easy[0], 7), probabilities(tiny, easy[0], 7))
    assert not np.allclose(trained(easy[0], training=True), tiny(easy[0], training=True), atol=1e-4)
    assert [id(weight) for weight in trained.weights] == [id(weight) for weight in tiny.weights]
    assert augmentation.prepend(tiny, None, 3) is tiny


def test_fit_trains_on_augmented_images_and_leaves_a_plain_model(make_tiny, easy, easy_validation, train_params, phase):
    losses, models = [], [make_tiny(), make_tiny()]
    for model, ranges in zip(models, (ALL, None), strict=True):
        losses.append(fit(model, easy, easy_validation, [phase()], train_params(augmentation=ranges), 3)[0]["loss"])
    assert abs(losses[0][0] - losses[1][0]) > 1e-4
    assert losses[0].iloc[-1] < losses[0].iloc[0]
    assert not [layer.name for layer in models[0].layers if "augment" in layer.name]
