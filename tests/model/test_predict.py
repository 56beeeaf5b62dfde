"""Images become the same probabilities whatever the batches."""

import keras
import numpy as np
import pytest

from skinlesion.model.predict import VIEWS, probabilities, turn

IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    image = keras.Input((4, 4, 3), dtype="float32")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(7, activation="softmax")(keras.layers.Dropout(0.9)(x)))


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_batches_make_no_difference_and_images_do_not_change(batch_size, model):
    before = IMAGES.copy()
    predicted = probabilities(model, IMAGES, batch_size)
    np.testing.assert_allclose(predicted, np.concatenate([model(image[None]) for image in IMAGES]), atol=1e-6)
    assert (predicted.shape, predicted.dtype) == ((11, 7), np.float64)
    np.testing.assert_array_equal(predicted, probabilities(model, IMAGES.astype("float32"), batch_size))
    np.testing.assert_array_equal(before, IMAGES)


def test_rows_sum_to_one_even_if_the_models_do_not():
    class Rounded:
        def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
            return np.full((len(images), 7), 0.14, np.float32)

    np.testing.assert_allclose(probabilities(Rounded(), IMAGES, 4), 1 / 7, rtol=1e-12)


def test_eight_views_are_all_turns_and_mirrors():
    image = np.arange(9).reshape(1, 3, 3, 1)
    views = {turn(image, *view).tobytes() for view in VIEWS[8]}
    assert len(views) == 8
    assert turn(image, *VIEWS[1][0]).tobytes() == image.tobytes()
    corners = [sorted(np.frombuffer(view, image.dtype).reshape(3, 3)[::2, ::2].ravel()) for view in views]
    assert corners == [[0, 2, 6, 8]] * 8, "neighbours stay neighbours"


def test_averaged_over_the_views_turned_and_mirrored_images_predict_the_same(model):
    expected = np.mean([probabilities(model, turn(IMAGES, *view), 4) for view in VIEWS[8]], axis=0)
    np.testing.assert_allclose(probabilities(model, IMAGES, 4, tta=8), expected, atol=1e-6)
    np.testing.assert_allclose(probabilities(model, turn(IMAGES, 3, True), 4, tta=8), expected, atol=1e-6)
    assert abs(probabilities(model, IMAGES, 4) - expected).max() > 1e-3


@pytest.mark.parametrize("doing", [None, "predicting"])
def test_the_progress_bar_has_its_label_or_is_hidden(doing, model, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    probabilities(model, IMAGES, 4, doing)
    printed = capsys.readouterr().err
    assert ("predicting" in printed and "3/3" in printed) if doing else printed == ""
