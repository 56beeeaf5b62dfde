"""The distance from the training data: small for images like it, large for others."""

import cv2
import numpy as np
import pytest

from skinlesion.commands.demo import likeness, webpage
from skinlesion.core import images


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    return [images.read(path) for path in webpage.draw_examples(tmp_path_factory.mktemp("drawn"))]


def test_one_standard_deviation_in_one_of_ten_statistics_is_the_root_of_a_tenth(noise):
    image = noise(0)
    mean = likeness.compute_statistics(image) - np.eye(10)[3]
    assert likeness.measure_distance(image, mean, np.eye(10)) == pytest.approx(0.1**0.5)
    assert likeness.measure_distance(image, mean, 4 * np.eye(10)) == pytest.approx(0.1**0.5 / 2)


def test_the_seven_examples_are_like_the_training_data_at_any_size_but_not_without_colour(drawn):
    assert len(drawn) == 7
    for image in drawn:
        distance = likeness.measure_distance(image)
        assert distance < likeness.LIMIT
        large = cv2.resize(image, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
        assert likeness.measure_distance(large) == pytest.approx(distance, abs=0.2)
        grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
        assert likeness.measure_distance(grey) > likeness.LIMIT


def draw_text() -> np.ndarray:
    page = np.full((150, 200, 3), 255, np.uint8)
    for line in range(9):
        cv2.putText(page, "an invoice", (4, 18 + 15 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0))
    return page


@pytest.mark.parametrize(
    "image",
    [np.full((150, 200, 3), (220, 170, 150), np.uint8), np.zeros((150, 200, 3), np.uint8), draw_text()],
    ids=["one colour", "black", "text"],
)
def test_images_that_are_no_dermatoscopy_are_unlike_the_training_data(image):
    assert likeness.measure_distance(image) > likeness.LIMIT
