"""The comparison with the training images: most of their kind look like them, pictures of other things do not."""

import json

import cv2
import numpy as np
import pytest

from skinlesion.core import images
from skinlesion.model import likeness
from skinlesion.model.likeness import NUMBER, Likeness
from tests.helpers.references import draw_squares, fit_drawn

SIDE = 64


@pytest.fixture(scope="module")
def reference() -> Likeness:
    return fit_drawn(SIDE)


def test_one_standard_deviation_in_one_of_thirteen_statistics_is_the_root_of_a_thirteenth(noise):
    statistics = likeness.compute_statistics(noise(0, SIDE, SIDE))
    assert statistics.shape == (NUMBER,)
    mean = statistics - np.eye(NUMBER)[3]
    for variance in (1, 4):
        (distance,) = Likeness(mean, variance * np.eye(NUMBER), 1, 0).distances(statistics[None])
        assert distance == pytest.approx((1 / NUMBER / variance) ** 0.5)


@pytest.mark.parametrize("number", [3, 99, 100, 250])
def test_at_most_1_percent_of_the_validation_images_are_above_the_limit(number):
    random = np.random.default_rng(number)
    train, validation = random.normal(0, 1, (300, NUMBER)), random.standard_t(3, (number, NUMBER))
    fitted = likeness.fit(train, validation, 0)
    above = (fitted.distances(validation) > fitted.limit).sum()
    assert above <= 0.01 * number
    assert above >= int(0.01 * number) - 1, "the limit is no looser than it must be"


@pytest.mark.parametrize("number", [1, 2, 40])
def test_tiny_and_uniform_training_sets_have_a_finite_distance(number):
    grey = [np.full((SIDE, SIDE, 3), 100 + shade, np.uint8) for shade in range(number)]
    statistics = np.stack([likeness.compute_statistics(image) for image in grey])
    fitted = likeness.fit(statistics, statistics, 0)
    assert np.isfinite(fitted.distances(statistics)).all()
    assert not any(fitted.compare(image, SIDE).unlike for image in grey)
    assert fitted.compare(np.full((SIDE, SIDE, 3), (220, 170, 150), np.uint8), SIDE).unlike


def test_other_images_of_the_same_kind_look_like_the_training_images(reference):
    others = draw_squares(SIDE, range(20, 30))
    assert np.mean([reference.compare(image, SIDE).unlike for image in others]) < 0.1
    for image in others[::10]:
        grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
        assert reference.compare(grey, SIDE).unlike, "without colour"


def draw_text() -> np.ndarray:
    page = np.full((450, 600, 3), 255, np.uint8)
    for line in range(17):
        cv2.putText(page, "an invoice for work", (10, 30 + 25 * line), cv2.FONT_HERSHEY_SIMPLEX, 1, (0, 0, 0))
    return page


def draw_gradient() -> np.ndarray:
    return np.repeat(np.linspace(0, 255, 600)[None, :, None].repeat(450, axis=0), 3, axis=2).astype(np.uint8)


OTHERS = {
    **{f"only {colour}": np.full((450, 600, 3), colour, np.uint8) for colour in (0, 128, 255)},
    "only skin colour": np.full((450, 600, 3), (220, 170, 150), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8),
    "text": draw_text(),
    "gradient": draw_gradient(),
    "3 x 3 px": np.random.default_rng(0).integers(0, 256, (3, 3, 3), dtype=np.uint8),
}


@pytest.mark.parametrize("name", OTHERS)
def test_pictures_of_other_things_are_too_far_from_the_training_images(name, reference):
    comparison = reference.compare(images.fit(OTHERS[name], SIDE, "crop"), 450)
    assert comparison.distance > comparison.limit
    assert comparison.unlike


def test_an_image_below_half_of_the_side_is_too_small_whatever_it_shows(reference):
    square = draw_squares(SIDE, range(1))[0]
    assert [reference.compare(square, shorter).too_small for shorter in (3, 31, 32, 64)] == [True, True, False, False]
    assert [reference.compare(square, shorter).unlike for shorter in (31, 32)] == [True, False]


def test_it_is_read_as_it_was_written(reference):
    read = Likeness.from_json(json.loads(json.dumps(reference.to_json())))
    assert read.to_json() == reference.to_json()
    square = draw_squares(SIDE, range(1))[0]
    assert read.compare(square, SIDE) == reference.compare(square, SIDE)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mean": [0, 1]}, r"13 statistics.*\(2,\)"),
        ({"mean": [float("nan")] * NUMBER}, "not positive definite"),
        ({"covariance": np.zeros((NUMBER, NUMBER)).tolist()}, "not positive definite"),
        ({"covariance": np.full((NUMBER, NUMBER), np.inf).tolist()}, "not positive definite"),
        ({"covariance": [[1]]}, "13 statistics"),
        ({"limit": -1}, "-1"),
        ({"limit": float("inf")}, "inf"),
        ({"smallest": -1}, "-1"),
    ],
)
def test_wrong_values_are_refused(changes, word, reference):
    with pytest.raises(ValueError, match=word):
        Likeness.from_json(reference.to_json() | changes)
