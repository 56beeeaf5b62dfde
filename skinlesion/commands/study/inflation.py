"""What leakage adds to balanced accuracy, over recipes: original images only, bootstrap by lesion."""

import numpy as np
import pandas as pd

from skinlesion.commands.compare.paired import Difference
from skinlesion.commands.study.listed import Study
from skinlesion.commands.study.recorded import ALL, Result, to_predictions
from skinlesion.evaluate import metrics
from skinlesion.evaluate.intervals import Bootstrap, interval
from skinlesion.evaluate.metrics import ratio

BY_PROTOCOL, SAME_IMAGES = "image - lesion", "image - folds, same images"
WITHIN, CONTROL = "with a sibling - without", "several images - one, no leak"
BEYOND = "siblings beyond difficulty"  # WITHIN - CONTROL
WAYS = (BY_PROTOCOL, SAME_IMAGES, WITHIN, CONTROL, BEYOND)
POOLED = "mean"
CONSTANT = "one class for all images, not in the mean"

Sides = tuple[pd.DataFrame, pd.DataFrame]


def measure(results: dict[str, Result], study: Study) -> pd.DataFrame:
    """Compare two sets of test images in each recipe, over the classes that both have, and pool the recipes.

    The seeds of a recipe are averaged first. A draw of lesions is the same in all sets, so that recipes with common
    test images are not taken as independent. A recipe with a model that has learned nothing has its row, but is not in
    the mean: its 0 says nothing about leakage.

    Returns:
        Columns recipe (POOLED, at the end: the mean of those above but CONSTANT), way (one of WAYS), images (of each
        side) and difference. No row where no run has finished.
    """
    by_image = [result for result in results.values() if result.unit.protocol == "image" and not result.unit.members]
    recipes = [(name_recipe(result, results), choose_sides(result, results)) for result in by_image]
    if not recipes:
        return pd.DataFrame(columns=["recipe", "way", "images", "difference"])
    groups = [rows["group"] for _, sides in recipes for both in sides.values() for rows in both]
    lesions = pd.Index(pd.concat(groups).unique())
    draws = Bootstrap.draw(lesions.to_series(), study.bootstrap, study.seed)
    draws = Bootstrap(np.vstack([np.ones((1, len(lesions)), np.float32), draws.weights]), draws.groups)
    drawn: dict[tuple[str, str], list] = {}
    images = {}
    for recipe, sides in recipes:
        scores = {
            way: tuple(sensitivities(rows, draws.select(lesions.get_indexer(rows["group"]))) for rows in both)
            for way, both in sides.items()
        }
        if CONTROL in scores:
            within, control = (np.subtract(*scores[way]) for way in (WITHIN, CONTROL))
            scores[CONTROL] = tuple(np.where(np.isfinite(within[0]), side, np.nan) for side in scores[CONTROL])
            scores[BEYOND] = within, control
        for way in (way for way in WAYS if way in scores):
            first, second = scores[way]
            if (shared := np.isfinite(first[0] - second[0])).any():
                averages = [average(values[:, shared]) for values in (first, second, first - second)]
                drawn.setdefault((recipe, way), []).append(averages)
                images[recipe, way] = " against ".join(f"{len(rows):,}" for rows in sides.get(way, ()))
    means = {place: np.mean(seeds, axis=0) for place, seeds in drawn.items()}
    table = [(*place, count_seeds(images[place], len(drawn[place])), summarize(*mean)) for place, mean in means.items()]
    for way in WAYS:
        learned = [mean for (recipe, of), mean in means.items() if of == way and not recipe.endswith(CONSTANT)]
        if learned:
            table.append((POOLED, way, "", summarize(*np.mean(learned, axis=0))))
    return pd.DataFrame(table, columns=["recipe", "way", "images", "difference"])


def name_recipe(result: Result, results: dict[str, Result]) -> str:
    """The title of the run's row, with CONSTANT if it or the run by lesion is so."""
    row = result.unit.row
    pair = [result, results.get(f"{row.system}-lesion-{result.unit.label}")]
    return f"{row.title}, {CONSTANT}" if any(run.is_constant for run in pair if run) else row.title


def count_seeds(images: str, seeds: int) -> str:
    """Add the number of seeds to the numbers of images, where there are several."""
    return f"{images}, each of {seeds} seeds" if images and seeds > 1 else images


def choose_sides(result: Result, results: dict[str, Result]) -> dict[str, Sides]:
    """Choose the images that a run by image is measured on, in each way for which the runs by lesion have finished.

    BY_PROTOCOL: its test images; those of the run of the same recipe and seed by lesion. SAME_IMAGES: its test images;
    the same images, each as predicted by the fold that tests it. WITHIN: those of its test images that leak; the
    others. CONTROL: in the run by lesion, test images of lesions with several images; of those with one.
    """
    system, rows = result.unit.row.system, result.select(originals=True)
    sides = {WITHIN: (rows[rows["leaked"]], rows[~rows["leaked"]])}
    if honest := results.get(f"{system}-lesion-{result.unit.label}"):
        others = honest.select(originals=True)
        several = others["group"].duplicated(keep=False)
        sides |= {BY_PROTOCOL: (rows, others), CONTROL: (others[several], others[~several])}
    if folds := results.get(f"{system}-lesion-folds"):
        others = folds.select(originals=True)
        common = {*rows["image_id"]} & {*others["image_id"]}
        sides[SAME_IMAGES] = tuple(side[side["image_id"].isin(common)] for side in (rows, others))
    return sides


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
