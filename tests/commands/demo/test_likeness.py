"""The distance from the training data: small for what is like it, large for what is not."""

import cv2
import numpy as np
import pytest

from skinlesion.commands.demo import examples, likeness
from skinlesion.core import images

REFERENCE = likeness.load()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> list[np.ndarray]:
    return [images.read(path) for path, _ in examples.draw(tmp_path_factory.mktemp("drawn"))]


def test_by_hand_one_deviation_in_one_of_ten_statistics_is_the_root_of_a_tenth(noise):
    image = noise(0)
    away = np.zeros(10)
    away[3] = 1
    mean = likeness.statistics(image) - away
    assert likeness.Reference(mean, np.eye(10), 1).distance(image) == pytest.approx(0.1**0.5)
    assert likeness.Reference(mean, 4 * np.eye(10), 1).distance(image) == pytest.approx(0.1**0.5 / 2)


def test_the_drawn_examples_are_like_the_training_data_one_of_each_class(drawn):
    assert len(drawn) == 7
    assert max(map(REFERENCE.distance, drawn)) < REFERENCE.limit


def page_of_text() -> np.ndarray:
    page = np.full((150, 200, 3), 255, np.uint8)
    for line in range(9):
        cv2.putText(page, "an invoice", (4, 18 + 15 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0))
    return page


ODD = {
    "one colour": np.full((150, 200, 3), (220, 170, 150), np.uint8),
    "black": np.zeros((150, 200, 3), np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (150, 200, 3), dtype=np.uint8),
    "text": page_of_text(),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_no_dermatoscopy_is_unlike_it(name):
    assert REFERENCE.distance(ODD[name]) > REFERENCE.limit


def test_a_picture_without_its_colours_is_unlike_it(drawn):
    grey = [np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8) for image in drawn]
    assert min(map(REFERENCE.distance, grey)) > REFERENCE.limit


def test_the_size_of_a_picture_says_little(drawn):
    for image in drawn:
        larger = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        assert REFERENCE.distance(larger) == pytest.approx(REFERENCE.distance(image), abs=0.2)


def test_measured_anew_the_limit_leaves_one_in_a_hundred_out():
    random = np.random.default_rng(0)
    pictures = [
        random.normal(random.uniform(60, 200, 3), 20, (16, 16, 3)).clip(0, 255).astype(np.uint8) for _ in range(600)
    ]
    found = likeness.measure(pictures)
    beyond = np.mean([found.distance(picture) >= found.limit for picture in pictures[1::2]])
    assert beyond == pytest.approx(0.01, abs=0.005)
