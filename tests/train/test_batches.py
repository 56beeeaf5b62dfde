"""Each epoch has each image once, with its own label, in an order that depends on seed and epoch only."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from skinlesion.train.batches import Batches
from skinlesion.train.fit import fit
from skinlesion.train.machine.distribution import Distribution

pytestmark = pytest.mark.training

NUMBER = 21  # of images: five batches of 4, and one image left
IMAGES = np.zeros((NUMBER, 2, 2, 3), np.uint8)
IMAGES[:, 0, 0, 0] = np.arange(NUMBER)
LABELS = np.arange(NUMBER) * 3 % 7


def order(seed: int, epoch: int, size: int = 4) -> list[list[int]]:
    """The numbers of the images in each batch of an epoch, each checked against its label."""
    batches = Batches(IMAGES, LABELS, size, seed)
    batches.start(epoch)
    numbers = []
    for images, labels in (batches[index] for index in range(len(batches))):
        numbers.append(images[:, 0, 0, 0].tolist())
        np.testing.assert_array_equal(labels, np.array(numbers[-1]) * 3 % 7)
    return numbers


@pytest.mark.parametrize(("size", "sizes"), [(4, [4, 4, 4, 4, 4, 1]), (7, [7, 7, 7]), (50, [21]), (1, [1] * 21)])
def test_each_image_once_per_epoch_and_the_last_batch_has_the_rest(size, sizes):
    batches = order(5, 0, size)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(number for batch in batches for number in batch) == list(range(NUMBER))


@pytest.mark.parametrize("mix", [None, "mixup"])
def test_devices_share_every_batch_equally_and_the_last_one_is_repeated_as_a_whole(mix):
    whole = Batches(IMAGES, LABELS, 8, 5, mix=mix)
    parts = [Batches(IMAGES, LABELS, 8, 5, mix=mix, distribution=Distribution(["one"] * 4, part, 2)) for part in (0, 1)]
    for index, repeats in enumerate([1, 1, 4]):
        images, labels, weights = map(np.concatenate, zip(*(part[index] for part in parts), strict=True))
        expected_images, expected_labels = whole[index]
        np.testing.assert_array_equal(images, np.concatenate([expected_images] * repeats))
        np.testing.assert_array_equal(labels, np.concatenate([expected_labels] * repeats))
        np.testing.assert_array_equal(parts[1].read_replicated(index), expected_images)
        assert set(weights) == {1}


def test_several_devices_get_class_weights_with_the_images():
    weights = {label: label / 2 for label in range(7)}
    batches = Batches(IMAGES, LABELS, 8, 5, distribution=Distribution(["one"] * 2), class_weight=weights)
    _, labels, given = batches[0]
    np.testing.assert_array_equal(given, labels / 2)


def test_balanced_sampling_draws_each_class_equally_often_and_each_image_before_any_again():
    labels = np.repeat([0, 2, 5], [2, 7, 12])
    batches = Batches(IMAGES, labels, 4, 5, sampling="balanced")
    drawn = [set()] * 3
    for epoch in range(3):
        batches.start(epoch)
        assert np.bincount(labels[batches.order], minlength=7).tolist() == [7, 0, 7, 0, 0, 7, 0]
        times = np.bincount(batches.order, minlength=NUMBER)
        assert sorted(times[:2]) == [3, 4] and set(times[2:9]) == {1} and max(times[9:]) == 1
        drawn[epoch] = set(batches.order)
    assert len(drawn[0] | drawn[1] | drawn[2]) > 18


@pytest.mark.parametrize("mix", ["mixup", "cutmix"])
def test_mixed_images_have_the_shares_of_both_classes_as_labels(mix):
    labels = np.arange(7)
    images = np.eye(7, dtype=np.uint8)[:, None, None, :3] * np.full((7, 96, 96, 3), 200, np.uint8)
    batches = Batches(images, labels, 7, 5, mix=mix)
    mixed, soft = batches[0]
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(mixed.mean(axis=(1, 2)), 200 * soft[:, :3], atol=4)  # edges within a pixel
    assert len(np.unique(soft.round(3))) > 3
    np.testing.assert_array_equal(batches[0][0], mixed)
    batches.start(1)
    assert not np.array_equal(batches[0][0], mixed)


def test_seed_and_epoch_decide_the_order():
    """The next seed's first epoch is not this seed's second, as a sum of seed and epoch would make it."""
    orders = {str(order(seed, epoch)) for seed in (0, 5, 6, 2**32 - 1) for epoch in range(4)}
    assert len(orders) == 16
    assert {str(order(seed, epoch)) for seed in (0, 5, 6, 2**32 - 1) for epoch in range(4)} == orders
    batches = Batches(IMAGES, LABELS, 4, seed=5)
    for epoch in range(4):  # earlier epochs make no difference
        batches.start(epoch)
    assert [batches[index][0][:, 0, 0, 0].tolist() for index in range(len(batches))] == order(5, 3)


@pytest.fixture
def reached(easy, monkeypatch) -> list[np.ndarray]:
    """The images of `easy`, as numbers, in each batch that reaches the training step of a real fit."""
    batches: list[np.ndarray] = []
    images, _ = easy
    number = {image.tobytes(): index for index, image in enumerate(images)}
    assert len(number) == len(images) == 44, "each image is known by its bytes; the last of 6 batches has 4"
    step = keras.Model.train_step

    def record(batch: np.ndarray) -> np.int64:
        batches.append(np.array([number[image.astype(np.uint8).tobytes()] for image in batch]))
        return np.int64(0)

    def recorded(model: keras.Model, data: tuple) -> dict:
        with tf.control_dependencies([tf.numpy_function(record, [data[0]], tf.int64)]):
            return step(model, data)

    monkeypatch.setattr(keras.Model, "train_step", recorded)
    return batches


def test_keras_gets_each_image_once_per_epoch_in_a_new_order(tiny, easy, easy_validation, train_params, phase, reached):
    """Over two phases."""
    fit(tiny, easy, easy_validation, [phase(4, 2), phase("all", 2)], train_params(), seed=1)
    assert [len(batch) for batch in reached] == [8, 8, 8, 8, 8, 4] * 4
    epochs = [np.concatenate(reached[start : start + 6]).tolist() for start in range(0, 24, 6)]
    assert all(sorted(epoch) == list(range(44)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_keras_gets_the_sampling_of_the_params_in_the_order_of_the_seed(
    make_tiny, easy, easy_validation, train_params, phase, reached
):
    labels, drawn = np.repeat(np.arange(7), [38, 1, 1, 1, 1, 1, 1]), []
    for seed in (1, 2):
        parts = (easy[0], labels), easy_validation, [phase("all", 1)], train_params(sampling="balanced")
        fit(make_tiny(), *parts, seed=seed)
        drawn.append(np.concatenate(reached))
        reached.clear()
        assert np.ptp(np.bincount(labels[drawn[-1]])) <= 1
    assert drawn[0].tolist() != drawn[1].tolist()
