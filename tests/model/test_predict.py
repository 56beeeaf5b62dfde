"""One path from images to probabilities, whatever the batches."""

import keras
import numpy as np
import pytest

from skinlesion.model.predict import VIEWS, probabilities, seen

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    image = keras.Input((4, 4, 3), dtype="float32")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(7, activation="softmax")(keras.layers.Dropout(0.9)(x)))


@pytest.mark.parametrize("batch_size", [1, 4, 11, 64])
def test_batches_make_no_difference(batch_size, model):
    one_by_one = np.concatenate([model(image[None]) for image in IMAGES])
    np.testing.assert_allclose(probabilities(model, IMAGES, batch_size), one_by_one, atol=1e-6)


def test_shape_and_kind(model):
    found = probabilities(model, IMAGES, 4)
    assert found.shape == (11, 7)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-14)


def test_rows_that_rounding_has_moved_sum_to_one_again():
    class Rounded:
        def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
            return np.full((len(images), 7), 0.14, np.float32)

    np.testing.assert_allclose(probabilities(Rounded(), IMAGES, 4), 1 / 7, rtol=1e-12)


def test_bytes_and_floats_predict_the_same(model):
    np.testing.assert_array_equal(probabilities(model, IMAGES, 4), probabilities(model, IMAGES.astype("float32"), 4))


def test_images_are_left_as_they_are(model):
    before = IMAGES.copy()
    probabilities(model, IMAGES, 4)
    np.testing.assert_array_equal(before, IMAGES)


def test_eight_views_are_all_turns_and_mirrors_and_their_mean_counts():
    one = np.arange(9).reshape(1, 3, 3, 1)
    views = {seen(one, *view).tobytes() for view in VIEWS[8]}
    assert len(views) == 8
    assert seen(one, *VIEWS[1][0]).tobytes() == one.tobytes()
    corners = [sorted(np.frombuffer(view, one.dtype).reshape(3, 3)[::2, ::2].ravel()) for view in views]
    assert corners == [[0, 2, 6, 8]] * 8, "a view moves pixels, and neighbours stay neighbours"


def test_averaged_over_the_views_turned_and_mirrored_images_predict_the_same(model):
    expected = np.mean([probabilities(model, seen(IMAGES, *view), 4) for view in VIEWS[8]], axis=0)
    np.testing.assert_allclose(probabilities(model, IMAGES, 4, tta=8), expected, atol=1e-6)
    turned = probabilities(model, seen(IMAGES, 3, True), 4, tta=8)
    np.testing.assert_allclose(turned, expected, atol=1e-6)
    assert abs(probabilities(model, IMAGES, 4) - expected).max() > 1e-3


@pytest.mark.parametrize(("doing", "shown"), [(None, False), ("predicting", True)])
def test_the_bar_says_what_is_done_or_is_not_there(doing, shown, model, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    probabilities(model, IMAGES, 4, doing)
    printed = capsys.readouterr().err
    assert ("predicting" in printed and "3/3" in printed) if shown else printed == ""
