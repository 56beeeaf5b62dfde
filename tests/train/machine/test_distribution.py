"""Devices share a batch equally; one that they cannot share is repeated in training, and filled up in prediction."""

import numpy as np
import pytest

from skinlesion.train.machine.distribution import Distribution, Predictor


@pytest.mark.parametrize(("size", "number", "copies"), [(32, 1, 1), (15, 1, 1), (32, 4, 1), (15, 4, 4), (6, 4, 2)])
def test_a_batch_is_repeated_as_a_whole_until_the_devices_can_share_it(size: int, number: int, copies: int) -> None:
    batch = np.arange(size)
    shards = [Distribution(["one"] * number, index, number).shard(batch) for index in range(number)]
    assert len({len(shard) for shard in shards}) == 1
    assert np.bincount(np.concatenate(shards)).tolist() == [copies] * size


def test_a_batch_that_the_devices_cannot_share_is_filled_up_and_cut():
    sizes = []
    predictor = Predictor(lambda images: sizes.append(len(images)) or 2 * images, 4)
    for number in (1, 4, 6):
        np.testing.assert_array_equal(predictor.predict_on_batch(np.arange(number)), 2 * np.arange(number))
    assert sizes == [4, 4, 8]
