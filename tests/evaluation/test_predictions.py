"""predictions.csv holds all that evaluation needs."""

import io

import numpy as np
import pandas as pd
import pytest

from skinlesion.classes import CODES
from skinlesion.evaluation.predictions import arrays, table

LABELS = np.array([3, 0, 6, 5, 1, 2, 4, 5])
PROBABILITIES = np.random.default_rng(0).dirichlet(np.full(7, 0.3), 8)


@pytest.fixture
def rows() -> pd.DataFrame:
    """Of data/splits.csv: with columns that the predictions have no use for."""
    return pd.DataFrame(
        {
            "path": [f"{index}.png" for index in range(8)],
            "image_id": [f"ISIC_{index}" for index in range(8)],
            "group": [f"HAM_{index // 2}" for index in range(8)],
            "dx": [CODES[label] for label in LABELS],
            "split": "test",
        }
    )


def through_a_file(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))


def test_columns(rows):
    found = table(rows, PROBABILITIES)
    assert found.columns.tolist() == ["image_id", "group", "dx", "predicted", *CODES]
    pd.testing.assert_frame_equal(found[["image_id", "group", "dx"]], rows[["image_id", "group", "dx"]])


def test_predicted_is_the_likeliest_class(rows):
    found = table(rows, PROBABILITIES)
    for row, chances in zip(found.itertuples(), PROBABILITIES, strict=True):
        assert chances[CODES.index(row.predicted)] == max(chances)


def test_labels_and_probabilities_return_from_the_file(rows):
    labels, probabilities = arrays(through_a_file(table(rows, PROBABILITIES)))
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_allclose(probabilities, PROBABILITIES, atol=2e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)


def test_the_order_of_columns_in_the_file_does_not_matter(rows):
    found = through_a_file(table(rows, PROBABILITIES))
    labels, probabilities = arrays(found[found.columns[::-1]])
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_allclose(probabilities, PROBABILITIES, atol=2e-6)


def test_predicted_agrees_with_the_probabilities_in_the_file(rows):
    """Also where two classes differ by less than the file holds: whoever counts either finds one accuracy."""
    near = np.full((8, 7), 0.04)
    near[:, 0], near[:, 1] = 0.3999996, 0.4000004
    found = through_a_file(table(rows, near))
    _, probabilities = arrays(found)
    assert found["predicted"].tolist() == [CODES[index] for index in probabilities.argmax(axis=1)]
