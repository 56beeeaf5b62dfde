"""Users' images are predicted as the pipeline predicts its own: same decoding, same squares, same calibration."""

import threading
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from skinlesion.core import images, tables
from skinlesion.core.ham10000 import CODES
from skinlesion.model import classify, dataset, predictions
from skinlesion.model.bundle import Bundle
from skinlesion.model.calibration import Calibration
from skinlesion.model.predict import probabilities
from skinlesion.runtime import params, paths
from stages import balance, merge, split
from tests.helpers.references import ALL_USUAL

SIDE = 32
CALIBRATION = Calibration(1.7, np.full(7, 1 / 7), np.arange(1, 8) / 28)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Seven random sums of the mean colours of the image's quarters."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIDE, SIDE, 3), dtype="float32")
    x = keras.layers.AveragePooling2D(SIDE // 2)(keras.layers.Rescaling(1 / 16, -8)(image))
    return keras.Model(image, keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(x)))


@pytest.fixture(params=["stretch", "crop"])
def bundle(model: keras.Model, request: pytest.FixtureRequest) -> Bundle:
    return Bundle(model, CALIBRATION, request.param, ALL_USUAL)


def predict(bundle: Bundle, *files: Path, tta: int = 1) -> np.ndarray:
    return np.concatenate([batch.natural for batch in classify.batches(bundle, files, tta)])


@pytest.mark.chain
@pytest.mark.parametrize("tta", [1, 8])
def test_an_image_of_the_pipeline_gets_the_probabilities_of_predictions_csv(
    tta: int, bundle: Bundle, project: Callable
) -> None:
    project({"images.fit": bundle.fit, "images.size": SIDE})
    for stage in (merge, balance, split):
        stage.main()
    splits, metadata = tables.read(paths.SPLITS), tables.read(paths.METADATA)
    raw = probabilities(bundle.model, dataset.load(splits, "test")[0], params.load().evaluate.batch_size, tta=tta)
    tables.write(paths.PREDICTIONS, predictions.make_table("test", raw, CALIBRATION, 0, raw, splits, metadata))

    table = tables.read(paths.PREDICTIONS)
    expected = table[[f"natural_{code}" for code in CODES]].to_numpy()
    assert len(expected) > 6
    assert np.ptp(expected, axis=0).max() > 0.05, "the images differ"
    originals = [next(paths.RAW.glob(f"*/{image_id}.jpg")) for image_id in table["image_id"]]
    for files in (originals, map(Path, table["path"])):
        np.testing.assert_allclose(predict(bundle, *files, tta=tta), expected, atol=2e-6)
    by_code = classify.Classifier(bundle).predict(originals[0], tta)
    np.testing.assert_allclose([by_code[code] for code in CODES], expected[0], atol=2e-6)


def test_calibration_changes_the_probabilities_unless_it_is_neutral(model: keras.Model, noise: Callable) -> None:
    even = np.full(7, 1 / 7)
    squares = np.stack([noise(seed, SIDE, SIDE) for seed in range(3)])
    plain = classify.predict_natural(Bundle(model, Calibration(1.0, even, even), "crop", ALL_USUAL), squares)
    np.testing.assert_allclose(plain, np.asarray(model(squares)), atol=1e-6)
    calibrated = classify.predict_natural(Bundle(model, CALIBRATION, "crop", ALL_USUAL), squares)
    assert abs(calibrated - plain).max() > 0.01
    np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=1e-12)


@pytest.fixture
def many(tmp_path: Path, noise: Callable) -> list[Path]:
    """Ten image files of different sizes; the fourth and the last two cannot be read."""
    files = [tmp_path / f"{number}.png" for number in range(10)]
    for number, file in enumerate(files):
        Image.fromarray(noise(number, 30 + number, 50 - number)).save(file)
    for number in (3, 8, 9):
        files[number].write_text("not a picture")
    return files


@pytest.mark.parametrize("at_once", [1, 4, 64])
def test_batches_keep_the_order_and_name_bad_files(
    at_once: int, bundle: Bundle, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "AT_ONCE", at_once)
    batches = list(classify.batches(bundle, many))
    good = [file for number, file in enumerate(many) if number not in (3, 8, 9)]
    assert [file for batch in batches for file in batch.files] == good
    bad = [str(error) for batch in batches for error in batch.bad]
    assert [name in error for name, error in zip(["3.png", "8.png", "9.png"], bad, strict=True)] == [True] * 3
    one_by_one = [classify.predict_natural(bundle, classify.read_square(bundle, file)[0][None]) for file in good]
    together = np.concatenate([batch.natural for batch in batches])
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-6)
    predicted = np.concatenate([batch.predicted for batch in batches])
    np.testing.assert_array_equal(predicted, together.argmax(axis=1))
    assert all(len(batch.files) + len(batch.bad) <= at_once for batch in batches)
    assert list(classify.batches(bundle, [])) == []


def test_no_more_than_one_batch_is_decoded_ahead_and_no_thread_is_left(
    bundle: Bundle, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    square, decoded, lock, threads = images.square, [], threading.Lock(), threading.active_count()

    def record(file: Path, *sizes: object) -> tuple:
        with lock:
            decoded.append(file)
        return square(file, *sizes)

    monkeypatch.setattr(images, "square", record)
    monkeypatch.setattr(classify, "AT_ONCE", 2)
    for number, _ in enumerate(classify.batches(bundle, many), start=1):
        assert len(decoded) <= 2 * (number + 1)
    assert sorted(decoded) == sorted(many), "each file is read once"
    stopped = classify.batches(bundle, many)
    next(stopped)
    stopped.close()
    assert threading.active_count() == threads
