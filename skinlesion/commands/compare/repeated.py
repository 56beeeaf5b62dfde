"""Several trainings on each side, by other seeds: the difference of their means, with the chance of training."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlesion.commands.compare.paired import MEASURES, Difference, draw_measures, match_images
from skinlesion.evaluate import metrics
from skinlesion.evaluate.intervals import Bootstrap, interval, name_unit
from skinlesion.model.predictions import Predictions
from skinlesion.runtime.errors import UserError


@dataclass(frozen=True)
class Repeated:
    """The runs of B against those of A, all on the same images; `runs` has the scores of each run of A and of B.

    unit: what the intervals are by beside the run, lesion or image. means, runs: by the keys of MEASURES.
    """

    images: int
    lesions: int
    unit: str
    means: dict[str, Difference]
    runs: dict[str, tuple[list[float], list[float]]]


def compare(a: list[Predictions], b: list[Predictions], draws: int, seed: int) -> Repeated:
    """Compare the mean score of the runs of A with that of B, by their headline probabilities.

    A draw is of lesions, the same in all runs, and of runs on each side, both with replacement (Owen, The pigeonhole
    bootstrap, Ann. Appl. Stat. 1, 2007). With few runs the interval is somewhat too narrow: the variance of draws of n
    runs is (n - 1) / n of that of n trainings.

    Raises UserError if a run has other images than the first of A, as paired.compare does.
    """
    rows = a[0].rows.sort_values("path")
    bootstrap = Bootstrap.draw(rows["group"], draws, seed)
    sides = [
        [score(a[0].rows, run, bootstrap, f"run {number} of {side}") for number, run in enumerate(runs, start=1)]
        for side, runs in (("A", a), ("B", b))
    ]
    random = np.random.default_rng([seed, 1])
    picks = [random.integers(len(side), size=(len(side), draws)) for side in sides]
    means, scores = {}, {}
    for name in MEASURES:
        scores[name] = tuple([float(values[name]) for values, _ in side] for side in sides)
        drawn = [
            np.take_along_axis(np.stack([of_draws[name] for _, of_draws in side]), picked, axis=0).mean(axis=0)
            for side, picked in zip(sides, picks, strict=True)
        ]
        means[name] = Difference(*(float(np.mean(side)) for side in scores[name]), *interval(drawn[1] - drawn[0]))
    return Repeated(len(rows), rows["group"].nunique(), name_unit(rows), means, scores)


def score(images: pd.DataFrame, run: Predictions, bootstrap: Bootstrap, name: str) -> tuple[dict, dict]:
    """Compute the headline metrics of a run, and MEASURES in each draw; draws are of `images`, sorted by path."""
    try:
        order = match_images(images, run.rows)[2]
    except UserError as error:
        raise UserError(f"A is its first run, B is {name}: {error}") from None
    labels, probabilities = run.labels[order], run.headline[order]
    return metrics.headline(labels, probabilities), draw_measures(labels, probabilities, bootstrap)
