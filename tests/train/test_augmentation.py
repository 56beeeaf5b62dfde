"""Online augmentation: what each operation may do, that only training sees it, and that the saved model has none."""

import numpy as np
import pytest
from pydantic import ValidationError

from skinlesion.model.backend import keras
from skinlesion.model.predict import probabilities
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Augmentation, Operations, Train
from skinlesion.train import augmentation
from skinlesion.train.fit import fit
from tests.train.test_options import PLAIN, TRAIN, VALIDATION, tiny

pytestmark = pytest.mark.training

OFF = dict.fromkeys(Augmentation.model_fields, 0)
ALL = {**OFF, "flip_horizontal": 0.5, "flip_vertical": 0.5, "rotate": 90, "zoom": 0.2, "shift": 0.1, "shear": 0.2}
ALL |= {"brightness": 0.1, "contrast": 0.2}
IMAGES = np.random.default_rng(2).integers(0, 256, (40, 16, 16, 3)).astype("float32")


def layer_of(operation: str, value: float, seed: int = 3) -> keras.Layer:
    (layer,) = augmentation.make(Augmentation(**{**OFF, operation: value}), seed)
    return layer


def augmented(operation: str, value: float, images: np.ndarray = IMAGES, seed: int = 3) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer_of(operation, value, seed)(images, training=True))


def test_params_names_the_rows_of_the_table():
    assert set(augmentation.LAYERS) == set(Augmentation.model_fields)
    assert set(Operations.model_fields) <= set(Augmentation.model_fields)


@pytest.mark.parametrize(("name", "axis"), [("flip_horizontal", 2), ("flip_vertical", 1)])
def test_flips_mirror_about_half_of_the_images_along_their_axis(name, axis):
    found = augmented(name, 0.5)
    same = [np.array_equal(x, y) for x, y in zip(IMAGES, found, strict=True)]
    mirrored = [np.array_equal(x, y) for x, y in zip(np.flip(IMAGES, axis), found, strict=True)]
    assert all(x != y for x, y in zip(same, mirrored, strict=True))
    assert 10 <= sum(mirrored) <= 30


def test_a_flip_has_no_probability_but_one_half():
    with pytest.raises(ValidationError, match=r"0 \(off\) or 0\.5"):
        Augmentation(**{**OFF, "flip_vertical": 0.3})


@pytest.mark.parametrize(("name", "value"), [("rotate", 180), ("zoom", 0.3), ("shift", 0.3), ("shear", 0.3)])
def test_geometry_moves_pixels_and_leaves_no_black_border(name, value):
    white = np.full((30, 16, 16, 3), 255, "float32")
    np.testing.assert_allclose(augmented(name, value, white), 255, atol=1e-3)
    assert np.abs(augmented(name, value) - IMAGES).mean() > 5


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [("rotate", 36, 1 / 10), ("shift", 0.25, 0.25), ("shear", 0.25, 0.25), ("zoom", 0.25, 0.25)],
)
def test_ranges_reach_the_layers_in_their_unit(name, value, unit):
    settings = layer_of(name, value).get_config()
    factor = next(settings[key] for key in ("factor", "height_factor", "x_factor") if key in settings)
    assert np.max(np.abs(factor)) == pytest.approx(unit)
    assert settings["fill_mode"] == "reflect"


def chain(ranges: Augmentation, seed: int, images: np.ndarray) -> np.ndarray:
    """What Keras' own layers do, one after the other, each with the seed that it has in `make`."""
    for number, (name, layer) in enumerate(augmentation.LAYERS.items()):
        if value := getattr(ranges, name):
            images = layer(value, seed=seed + number, dtype="float32")(images, training=True)
    return keras.ops.convert_to_numpy(images)


def smooth(side: int = 48) -> np.ndarray:
    """Slow waves, other ones in each of 12 images: hardly changed by being resampled several times."""
    y, x = np.mgrid[:side, :side] / side
    pitch = np.arange(12)[:, None, None]
    waves = [np.sin(2 * x + 3 * y + pitch), np.cos(3 * x - y + pitch), np.sin(x * y + pitch)]
    return (127 + 100 * np.stack(waves, axis=-1)).astype("float32")


GEOMETRY = {"flip_horizontal": 0.5, "flip_vertical": 0.5, "rotate": 30, "zoom": 0.1, "shift": 0.05, "shear": 0.1}


@pytest.mark.parametrize("left_out", [None, *GEOMETRY])
def test_geometry_at_once_is_that_of_keras_layers_in_turn(left_out):
    """Less what comes from beyond the border, which a chain of layers reflects several times."""
    ranges = Augmentation(**{**OFF, **{name: value for name, value in GEOMETRY.items() if name != left_out}})
    (layer,) = augmentation.make(ranges, 3)
    images = smooth()
    found, expected = keras.ops.convert_to_numpy(layer(images, training=True)), chain(ranges, 3, images)
    middle = np.s_[:, 18:-18, 18:-18]
    assert np.abs(found[middle] - expected[middle]).max() < 2
    assert np.abs(found[middle] - images[middle]).max() > 20


def test_flips_alone_are_exact_and_tones_come_after_geometry():
    names = [layer.name for layer in augmentation.make(Augmentation(**ALL), 1)]
    assert names == ["augment_geometry", "augment_contrast", "augment_brightness"]
    flips = Augmentation(**{**OFF, "flip_horizontal": 0.5, "flip_vertical": 0.5})
    assert [layer.name for layer in augmentation.make(flips, 1)] == ["augment_flip_horizontal", "augment_flip_vertical"]


def test_brightness_adds_up_to_its_part_of_255():
    grey = np.full((200, 4, 4, 3), 128, "float32")
    moved = augmented("brightness", 0.2, grey)[:, 0, 0, 0] - 128
    assert -51 <= moved.min() < -40
    assert 40 < moved.max() <= 51


def test_contrast_keeps_the_mean_and_scales_about_it():
    half = np.full((200, 4, 4, 3), 100, "float32")
    half[:, :2] = 140
    found = augmented("contrast", 0.5, half)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 120, atol=1e-3)
    factors = (found[:, 0, 0, 0] - 120) / 20
    assert 0.5 <= factors.min() < 0.6
    assert 1.4 < factors.max() <= 1.5


def test_levels_stay_within_0_and_255():
    found = IMAGES
    for layer in augmentation.make(Augmentation(**ALL), 1):
        found = layer(found, training=True)
    found = keras.ops.convert_to_numpy(found)
    assert found.min() >= 0
    assert found.max() <= 255
    assert found.dtype == np.float32


def test_every_image_and_every_batch_is_drawn_anew():
    layer = layer_of("rotate", 180)
    same = np.repeat(IMAGES[:1], 8, axis=0)
    first, second = (keras.ops.convert_to_numpy(layer(same, training=True)) for _ in range(2))
    assert len(np.unique(first.reshape(8, -1), axis=0)) == 8
    assert not np.array_equal(first, second)


def test_the_same_seed_draws_the_same_and_another_seed_not():
    np.testing.assert_array_equal(augmented("rotate", 90, seed=3), augmented("rotate", 90, seed=3))
    assert not np.array_equal(augmented("rotate", 90, seed=3), augmented("rotate", 90, seed=4))


def test_it_acts_in_training_only_and_shares_the_weights():
    model = tiny()
    trained = augmentation.before(model, Augmentation(**ALL), 3)
    images = VALIDATION[0]
    np.testing.assert_array_equal(probabilities(trained, images, 7), probabilities(model, images, 7))
    keras.utils.set_random_seed(1)
    assert not np.allclose(trained(images, training=True), model(images, training=True), atol=1e-4)
    assert [id(weight) for weight in trained.weights] == [id(weight) for weight in model.weights]


def test_none_is_the_classifier_itself():
    model = tiny()
    assert augmentation.before(model, None, 3) is model


def test_fit_trains_on_augmented_images_and_leaves_a_plain_model():
    how = PLAIN.model_dump()
    phase = Phase(train="all", epochs=3, learning_rate=0.02)
    tables, models = [], []
    for ranges in (ALL, ALL, None):
        model = tiny()
        section = Train.model_validate({**how, "augmentation": ranges})
        tables.append(fit(model, TRAIN, VALIDATION, [phase], section, 3)[0])
        models.append(model)
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-5)
    assert abs(tables[0]["loss"][0] - tables[2]["loss"][0]) > 1e-4
    assert not [layer.name for layer in models[0].layers if "augment" in layer.name]
    assert tables[0]["loss"].iloc[-1] < tables[0]["loss"].iloc[0]


def test_under_a_mixed_policy_pixels_keep_their_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        found = augmented("shift", 0.001)
    finally:
        keras.config.set_dtype_policy("float32")
    assert found.dtype == np.float32
