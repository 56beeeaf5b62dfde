"""What leakage adds to balanced accuracy, in two ways, over recipes: original images only, bootstrap by lesion."""

import numpy as np
import pandas as pd

from skinlesion.commands.compare.paired import Difference
from skinlesion.commands.study.listed import Study
from skinlesion.commands.study.recorded import ALL, Result, to_predictions
from skinlesion.evaluate import metrics
from skinlesion.evaluate.intervals import Bootstrap, interval
from skinlesion.evaluate.metrics import ratio

BY_PROTOCOL, WITHIN = "image - lesion", "with a sibling - without"
POOLED = "mean of all"


def measure(results: dict[str, Result], study: Study) -> pd.DataFrame:
    """Compare two sets of test images in each recipe, over the classes that both have, and pool the recipes.

    `image - lesion`: the test images of a run by image against those of the run of the same recipe and seed by lesion.
    `with a sibling - without`: within the test images of a run by image, those that leak against the others. A draw of
    lesions is the same in all sets, so that recipes with common test images are not taken as independent.

    Returns:
        Columns recipe (title; POOLED: the mean of those above it), way, images (of each side) and difference. No row
        where no run has finished.
    """
    sides: list[tuple[str, str, pd.DataFrame, pd.DataFrame]] = []
    for result in results.values():
        unit = result.unit
        if unit.protocol != "image" or unit.members:
            continue
        rows = result.select(originals=True)
        honest = results.get(f"{unit.row.system}-lesion-{unit.label}")
        if honest:
            sides.append((unit.row.title, BY_PROTOCOL, rows, honest.select(originals=True)))
        sides.append((unit.row.title, WITHIN, rows[rows["leaked"]], rows[~rows["leaked"]]))
    if not sides:
        return pd.DataFrame(columns=["recipe", "way", "images", "difference"])
    lesions = pd.Index(pd.concat([rows["group"] for *_, first, second in sides for rows in (first, second)]).unique())
    draws = Bootstrap.draw(lesions.to_series(), study.bootstrap, study.seed)
    draws = Bootstrap(np.vstack([np.ones((1, len(lesions)), np.float32), draws.weights]), draws.groups)
    table = []
    for way in (BY_PROTOCOL, WITHIN):
        drawn = []
        for recipe, _, *both in [side for side in sides if side[1] == way]:
            first, second = (sensitivities(rows, draws.select(lesions.get_indexer(rows["group"]))) for rows in both)
            if not (shared := np.isfinite(first[0] - second[0])).any():
                continue
            drawn.append([average(values[:, shared]) for values in (first, second, first - second)])
            table.append((recipe, way, " / ".join(f"{len(rows):,}" for rows in both), summarize(*drawn[-1])))
        if drawn:
            table.append((POOLED, way, "", summarize(*np.mean(drawn, axis=0))))
    return pd.DataFrame(table, columns=["recipe", "way", "images", "difference"])


def sensitivities(rows: pd.DataFrame, draws: Bootstrap) -> np.ndarray:
    """Compute the sensitivity to each class in each draw, (D, 7); NaN without images of it."""
    part = to_predictions(rows)
    return metrics.class_metrics(draws.confusions(part.labels, part.headline.argmax(axis=1), len(ALL)))["sensitivity"]


def average(values: np.ndarray) -> np.ndarray:
    """Average (D, C) over the classes that are not NaN: (D,)."""
    return ratio(np.nansum(values, axis=1), np.isfinite(values).sum(axis=1))


def summarize(first: np.ndarray, second: np.ndarray, difference: np.ndarray) -> Difference:
    """The difference of all images, which are the draw 0, with its interval over the others."""
    return Difference(second[0], first[0], *interval(difference[1:]))
