"""Each image once an epoch, with its own label, in an order of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.batches import Batches
from skinlesion.train.fit import fit

pytestmark = pytest.mark.training

NUMBER = 21  # of images: five batches of 4, and one image left
IMAGES = np.zeros((NUMBER, 2, 2, 3), np.uint8)
IMAGES[:, 0, 0, 0] = np.arange(NUMBER)
LABELS = np.arange(NUMBER) * 3 % 7


def epoch(batches: Batches) -> list[tuple[np.ndarray, np.ndarray]]:
    return [batches[index] for index in range(len(batches))]


def order(batches: Batches) -> list[list[int]]:
    """The numbers of the images in each batch of an epoch."""
    return [images[:, 0, 0, 0].tolist() for images, _ in epoch(batches)]


def flat(batches: list[list[int]]) -> list[int]:
    return [number for batch in batches for number in batch]


@pytest.mark.parametrize(
    ("size", "sizes"), [(4, [4, 4, 4, 4, 4, 1]), (7, [7, 7, 7]), (21, [21]), (50, [21]), (1, [1] * 21)]
)
def test_each_image_once_an_epoch_the_last_batch_being_what_is_left(size, sizes):
    found = order(Batches(IMAGES, LABELS, size, seed=5))
    assert [len(batch) for batch in found] == sizes
    assert sorted(flat(found)) == list(range(NUMBER))


def test_labels_go_with_their_images():
    batches = Batches(IMAGES, LABELS, 4, seed=5)
    for number in range(3):
        batches.start(number)
        for images, labels in epoch(batches):
            np.testing.assert_array_equal(labels, images[:, 0, 0, 0].astype(int) * 3 % 7)


def test_batches_are_made_anew_each_epoch():
    batches = Batches(IMAGES, LABELS, 4, seed=5)
    members = set()
    for number in range(5):
        batches.start(number)
        members.add(tuple(frozenset(batch) for batch in order(batches)))
    assert len(members) == 5
    assert tuple(order(batches)[0]) != (0, 1, 2, 3)


def test_an_epoch_read_twice_is_the_same():
    batches = Batches(IMAGES, LABELS, 4, seed=5)
    assert order(batches) == order(batches)


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_same_seed_same_order(seed):
    one, other = (Batches(IMAGES, LABELS, 4, seed) for _ in range(2))
    for number in range(3):
        for batches in (one, other):
            batches.start(number)
        assert order(one) == order(other)


def test_the_order_hangs_on_the_epoch_and_not_on_those_before_it():
    one, other = (Batches(IMAGES, LABELS, 4, seed=5) for _ in range(2))
    for number in range(4):
        one.start(number)
    other.start(3)
    assert order(one) == order(other)


def test_other_seeds_are_other_orders():
    """The next seed's first epoch is not this seed's second either, as a sum of seed and epoch would make it."""
    second = Batches(IMAGES, LABELS, 4, seed=5)
    second.start(1)
    assert order(Batches(IMAGES, LABELS, 4, seed=6)) not in (order(Batches(IMAGES, LABELS, 4, seed=5)), order(second))


def test_keras_sees_each_image_once_an_epoch_and_each_epoch_anew(tiny, easy, easy_validation, how, phase, monkeypatch):
    """What reaches the training step in a real fit, over two phases; not what Keras asks the batches for."""
    seen: list[np.ndarray] = []
    images, _ = easy
    number = {picture.tobytes(): index for index, picture in enumerate(images)}
    assert len(number) == len(images) == 44, "each image is known by its bytes; the last of 6 batches holds 4"
    step = keras.Model.train_step

    def record(pictures: np.ndarray) -> np.int64:
        seen.append(np.array([number[picture.astype(np.uint8).tobytes()] for picture in pictures]))
        return np.int64(0)

    def recorded(model: keras.Model, data: tuple) -> dict:
        with tf.control_dependencies([tf.numpy_function(record, [data[0]], tf.int64)]):
            return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", recorded)
    fit(tiny, easy, easy_validation, [phase(4, 2), phase("all", 2)], how(), seed=1)
    assert [len(batch) for batch in seen] == [8, 8, 8, 8, 8, 4] * 4
    epochs = [np.concatenate(seen[start : start + 6]).tolist() for start in range(0, 24, 6)]
    assert all(sorted(epoch) == list(range(44)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
