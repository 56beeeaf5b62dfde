"""Several runs on each side: their interval equals a plain loop over draws of lesions and runs."""

import numpy as np
import pytest

from skinlesion.commands.compare import paired, repeated
from skinlesion.commands.compare.description import describe_repeated
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import Predictions, select_split
from skinlesion.runtime.errors import UserError
from tests.commands.compare.test_paired import DRAWS, SEED, blend

TABLES = [blend(seed, share).sample(frac=1, random_state=seed) for seed, share in enumerate((0.5, 0.6, 0.7, 0.6, 0.8))]
RUNS = [select_split(table, "test") for table in TABLES]
A, B = RUNS[:2], RUNS[2:]


def list_right(run: Predictions) -> np.ndarray:
    """Whether each image is predicted correctly, sorted by path."""
    return (run.headline.argmax(axis=1) == run.labels)[run.rows["path"].argsort().to_numpy()]


def test_the_interval_is_that_of_a_plain_loop_over_draws_of_lesions_and_runs():
    compared = repeated.compare(A, B, DRAWS, SEED)
    random = np.random.default_rng([SEED, 1])
    picks = [random.integers(len(side), size=(len(side), DRAWS)) for side in (A, B)]
    right = [[list_right(run) for run in side] for side in (A, B)]
    weights = Bootstrap.draw(A[0].rows.sort_values("path")["group"], DRAWS, SEED).weights
    drawn = []
    for number, weight in enumerate(weights):
        first, second = (
            np.mean([np.average(runs[run], weights=weight) for run in picked[:, number]])
            for runs, picked in zip(right, picks, strict=True)
        )
        drawn.append(second - first)
    accuracy = compared.means["accuracy"]
    assert (accuracy.low, accuracy.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1e-6)
    assert (accuracy.a, accuracy.b) == pytest.approx([np.mean([run.mean() for run in side]) for side in right])
    assert compared.runs["accuracy"] == tuple([pytest.approx(run.mean()) for run in side] for side in right)


def test_the_same_run_twice_has_the_interval_of_the_pair():
    pair, twice = paired.compare(A[0], B[0], DRAWS, SEED), repeated.compare(A[:1] * 2, B[:1] * 2, DRAWS, SEED)
    for name, value in pair.differences.items():
        again = twice.means[name]
        expected = pytest.approx((value.a, value.b, value.low, value.high), abs=1e-6)
        assert (again.a, again.b, again.low, again.high) == expected, name


def test_the_chance_of_training_widens_the_interval():
    """Two runs that differ much, on each side: the draws of runs add to the draws of lesions."""
    sides = ([RUNS[0], RUNS[4]], [RUNS[4], RUNS[0]])
    apart = repeated.compare(*sides, DRAWS, SEED).means["accuracy"]
    assert apart.b - apart.a == pytest.approx(0)
    alike = repeated.compare(RUNS[:1] * 2, RUNS[4:] * 2, DRAWS, SEED).means["accuracy"]
    assert apart.high - apart.low > alike.high - alike.low


def test_a_run_with_other_images_is_named():
    other = select_split(TABLES[0].drop(index=TABLES[0].query("split == 'test'").index[0]), "test")
    with pytest.raises(UserError, match=r"B is run 2 of B: .*different images.*1 only in A"):
        repeated.compare(A, [B[0], other], DRAWS, SEED)


def test_the_description_has_mean_and_range():
    compared = repeated.compare(A, B, DRAWS, SEED)
    text = describe_repeated(compared, "a1, a2", "b1, b2, b3", "test")
    scores = compared.runs["accuracy"][1]
    assert f"{np.mean(scores):.3f} [{min(scores):.3f} to {max(scores):.3f}]" in text
    assert "the same in all runs" in text
