"""People's pictures are predicted as the pipeline predicts its own: same decoding, same squares, same calibration."""

import threading
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
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

SIDE = 32
CALIBRATION = Calibration(1.7, np.full(7, 1 / 7), np.arange(1, 8) / 28)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """Seven random sums of a mean colour per quarter of the image: depends on where what is."""
    keras.utils.set_random_seed(1)
    image = keras.Input((SIDE, SIDE, 3), dtype="float32")
    x = keras.layers.AveragePooling2D(SIDE // 2)(keras.layers.Rescaling(1 / 16, -8)(image))
    return keras.Model(image, keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(x)))


@pytest.fixture(params=["stretch", "crop"])
def bundle(model: keras.Model, request: pytest.FixtureRequest) -> Bundle:
    return Bundle(model, CALIBRATION, request.param)


def shown(bundle: Bundle, *files: Path, tta: int = 1) -> np.ndarray:
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
    how = params.load().evaluate
    raw = probabilities(bundle.model, dataset.load(splits, "test")[1], how.batch_size, tta=tta)
    tables.write(paths.PREDICTIONS, predictions.table("test", raw, CALIBRATION, splits, metadata))

    table = tables.read(paths.PREDICTIONS)
    expected = table[[f"natural_{code}" for code in CODES]].to_numpy()
    assert len(expected) > 6
    assert np.ptp(expected, axis=0).max() > 0.05, "the images differ, else this test says nothing"
    originals = [next(paths.RAW.glob(f"*/{image_id}.jpg")) for image_id in table["image_id"]]
    np.testing.assert_allclose(shown(bundle, *originals, tta=tta), expected, atol=2e-6)
    np.testing.assert_allclose(shown(bundle, *map(Path, table["path"]), tta=tta), expected, atol=2e-6)


def test_a_model_without_calibration_to_do_says_what_it_says(model: keras.Model, noise: Callable) -> None:
    even = np.full(7, 1 / 7)
    squares = np.stack([noise(seed, SIDE, SIDE) for seed in range(3)])
    plain = classify.natural(Bundle(model, Calibration(1.0, even, even), "crop"), squares)
    np.testing.assert_allclose(plain, np.asarray(model(squares)), atol=1e-6)
    calibrated = classify.natural(Bundle(model, CALIBRATION, "crop"), squares)
    assert abs(calibrated - plain).max() > 0.01


def test_a_large_photograph_is_seen_upright(bundle: Bundle, tmp_path: Path) -> None:
    """4000x3000 as a phone stores it when held upright: turned, with a note in EXIF (orientation 6)."""
    upright = np.zeros((4000, 3000, 3), np.uint8)
    upright[:2000] = (220, 40, 90)  # red above, blue below
    upright[2000:] = (20, 60, 200)
    Image.fromarray(upright).save(tmp_path / "plain.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.jpg", exif=exif)
    (batch,) = classify.batches(bundle, [tmp_path / "plain.jpg", tmp_path / "turned.jpg"])
    assert batch.squares.shape == (2, SIDE, SIDE, 3)
    assert (batch.squares[:, 2, :, 0] > 200).all()
    assert (batch.squares[:, -3, :, 2] > 180).all()
    np.testing.assert_allclose(batch.natural[0], batch.natural[1], atol=0.01)


@pytest.fixture
def many(tmp_path: Path, noise: Callable) -> list[Path]:
    """Ten pictures of different sizes, of which the fourth and the last two are none."""
    files = [tmp_path / f"{number}.png" for number in range(10)]
    for number, file in enumerate(files):
        Image.fromarray(noise(number, 30 + number, 50 - number)).save(file)
    for number in (3, 8, 9):
        files[number].write_text("not a picture")
    return files


@pytest.mark.parametrize("at_once", [1, 2, 4, 64])
def test_batches_keep_the_order_and_what_is_bad_is_named(
    at_once: int, bundle: Bundle, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classify, "AT_ONCE", at_once)
    found = list(classify.batches(bundle, many))
    good = [file for number, file in enumerate(many) if number not in (3, 8, 9)]
    assert [file for batch in found for file in batch.files] == good
    named = [str(bad) for batch in found for bad in batch.bad]
    assert named == [f"{many[number]} (not a picture)" for number in (3, 8, 9)]
    one_by_one = [classify.natural(bundle, classify.square(bundle, file)[None]) for file in good]
    together = np.concatenate([batch.natural for batch in found])
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-6)
    labels = np.concatenate([batch.predicted for batch in found])
    np.testing.assert_array_equal(labels, together.argmax(axis=1))
    assert all(len(batch.files) + len(batch.bad) <= at_once for batch in found)


def test_memory_is_bounded_no_more_than_one_batch_is_decoded_ahead(
    bundle: Bundle, many: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    square, begun, lock = images.square, [], threading.Lock()

    def spy(file: Path, *how: object) -> tuple:
        with lock:
            begun.append(file)
        return square(file, *how)

    monkeypatch.setattr(images, "square", spy)
    monkeypatch.setattr(classify, "AT_ONCE", 2)
    for number, _ in enumerate(classify.batches(bundle, many), start=1):
        assert len(begun) <= 2 * (number + 1)
    assert sorted(begun) == sorted(many), "each file is read once"


def test_whoever_stops_early_leaves_nothing_running(bundle: Bundle, many: list[Path]) -> None:
    before = threading.active_count()
    started = classify.batches(bundle, many)
    next(started)
    started.close()
    assert threading.active_count() == before


def test_no_files_are_no_batches(bundle: Bundle) -> None:
    assert list(classify.batches(bundle, [])) == []


def test_probabilities_sum_to_one(bundle: Bundle, many: list[Path]) -> None:
    table = pd.DataFrame(shown(bundle, *many), columns=list(CODES))
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=1e-12)
