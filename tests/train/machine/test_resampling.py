"""Our resampling is Keras' own, wherever a map leads."""

import keras
import numpy as np
import pytest

from skinlesion.train.machine import resampling

PLACES = {"within": 0.2, "over the border": 20.0, "borders away": 300.0}


@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (5, 16, 24, 3), (3, 9, 7, 1)])
@pytest.mark.parametrize("away", PLACES.values(), ids=PLACES)
def test_it_is_that_of_affine_transform(away, shape):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, shape, np.uint8)
    turned = np.eye(2).ravel() + random.uniform(-0.5, 0.5, (shape[0], 4))
    moved = random.uniform(-away, away, (shape[0], 2))
    maps = np.insert(turned, [2, 4], moved, axis=1).astype("float32")
    found = keras.ops.convert_to_numpy(resampling.affine(images, maps))
    whole = np.pad(maps, ((0, 0), (0, 2)))
    expected = keras.ops.image.affine_transform(images.astype("float32"), whole, fill_mode="reflect")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected), atol=0.05)


def test_the_map_that_moves_nothing_changes_nothing(noise):
    images = noise(0, 12, 12)[None]
    still = np.array([[1, 0, 0, 0, 1, 0]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(resampling.affine(images, still)), images)


def test_a_map_leads_from_the_new_pixel_to_the_old():
    ramp = np.arange(6, dtype=np.uint8)[None, None, :, None].repeat(3, axis=1)
    found = keras.ops.convert_to_numpy(resampling.affine(ramp, np.array([[1, 0, 1.5, 0, 1, 0]], "float32")))
    np.testing.assert_allclose(found[0, 0, :, 0], [1.5, 2.5, 3.5, 4.5, 5, 4.5])
