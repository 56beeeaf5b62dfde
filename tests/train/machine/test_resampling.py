"""Our resampling equals that of Keras, wherever a transform leads."""

import keras
import numpy as np
import pytest

from skinlesion.train.machine import resampling

DISTANCES = {"inside": 0.2, "over the border": 20.0, "several borders away": 300.0}


@pytest.mark.parametrize("shape", [(5, 16, 24, 3), (3, 9, 7, 1)])
@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
def test_it_equals_affine_transform(distance, shape):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, shape, np.uint8)
    turned = np.eye(2).ravel() + random.uniform(-0.5, 0.5, (shape[0], 4))
    moved = random.uniform(-distance, distance, (shape[0], 2))
    transforms = np.insert(turned, [2, 4], moved, axis=1).astype("float32")
    ours = keras.ops.convert_to_numpy(resampling.affine(images, transforms))
    whole = np.pad(transforms, ((0, 0), (0, 2)))
    expected = keras.ops.image.affine_transform(images.astype("float32"), whole, fill_mode="reflect")
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, keras.ops.convert_to_numpy(expected), atol=0.05)


def test_a_transform_leads_from_the_new_pixel_to_the_old():
    ramp = np.arange(6, dtype=np.uint8)[None, None, :, None].repeat(3, axis=1)
    for move, expected in ((0, np.arange(6)), (1.5, [1.5, 2.5, 3.5, 4.5, 5, 4.5])):
        result = keras.ops.convert_to_numpy(resampling.affine(ramp, np.array([[1, 0, move, 0, 1, 0]], "float32")))
        np.testing.assert_allclose(result[0, 0, :, 0], expected)
