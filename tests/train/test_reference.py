"""The reference in the model file: of the originals of train and validation alone."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.model.likeness import compute_statistics
from skinlesion.train import reference

AUGMENTED = [False, True, False, False, True, True]


@pytest.fixture
def squares(noise) -> np.ndarray:
    return np.stack([noise(number, 32, 32) for number in range(6)])


@pytest.mark.parametrize("split", ["train", "validation"])
def test_copies_are_left_out(split, squares):
    splits = pd.DataFrame({"split": split, "augmented": AUGMENTED})
    measured = reference.measure(pd.concat([splits, splits.assign(split="test")]), split, squares)
    np.testing.assert_array_equal(measured, [compute_statistics(squares[number]) for number in (0, 2, 3)])


def test_a_split_of_copies_alone_is_measured_too(squares):
    splits = pd.DataFrame({"split": "validation", "augmented": True}, index=range(6))
    assert len(reference.measure(splits, "validation", squares)) == 6


@pytest.mark.parametrize(("train_height", "smallest"), [(24, 16), (16, 16), (10, 10)])
def test_no_training_image_is_too_small(train_height, smallest, squares):
    """Half of the side, 16 px, or less where a training image is smaller; images of test do not count."""
    rows = [(f"{split}_{number}", split, False) for split in ("train", "validation", "test") for number in range(6)]
    splits = pd.DataFrame(rows, columns=["image_id", "split", "augmented"])
    metadata = splits[["image_id"]].assign(width=40, height=30)
    metadata.loc[metadata["image_id"] == "train_3", "height"] = train_height
    metadata.loc[metadata["image_id"] == "test_3", "height"] = 3
    assert reference.fit_reference(splits, metadata, squares, squares).smallest == smallest
