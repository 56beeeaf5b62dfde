"""Two predictions of the same images: paired bootstrap of the differences, McNemar's test, disagreements."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import metrics
from skinlesion.evaluate.intervals import Bootstrap, interval, name_unit
from skinlesion.evaluate.metrics import ratio
from skinlesion.model.predictions import ABOUT, Predictions
from skinlesion.report.table import missing
from skinlesion.runtime.errors import UserError

MEASURES = {"balanced_accuracy": "balanced accuracy", "accuracy": "accuracy", "roc_auc_macro": "macro ROC-AUC"}


@dataclass(frozen=True)
class Difference:
    """A measure of A and of B, and the 95% interval of B - A; NaN where the draws are all equal, but not 0."""

    a: float
    b: float
    low: float
    high: float

    def __str__(self) -> str:
        limits = "" if missing(self.low) else f" (95% interval {self.low:+z.3f} to {self.high:+z.3f})"
        return f"{self.b - self.a:+z.3f}{limits}"


@dataclass(frozen=True)
class Comparison:
    """B against A, on the same images.

    unit: what the intervals are by, lesion or image. differences: by the keys of MEASURES. only_a_right, only_b_right:
    images that one of both predicts correctly. p: of McNemar's test. disagreements: image_id, group, dx, predicted_a,
    predicted_b of each image with two predictions.
    """

    images: int
    lesions: int
    unit: str
    differences: dict[str, Difference]
    only_a_right: int
    only_b_right: int
    p: float
    disagreements: pd.DataFrame


def compare(a: Predictions, b: Predictions, draws: int, seed: int) -> Comparison:
    """Compare two predictions by their headline probabilities, with `draws` draws of lesions, the same for both.

    The intervals are the main result: they keep the images of a lesion together. McNemar's exact test (Psychometrika
    12, 1947) takes images as independent, which images of one lesion are not, so its p is somewhat too small.

    Raises UserError if A and B differ in images, which are matched by path, or in what the metadata say of one.
    """
    rows, order_a, order_b = match_images(a.rows, b.rows)
    labels, sides = a.labels[order_a], (a.headline[order_a], b.headline[order_b])
    bootstrap = Bootstrap.draw(rows["group"], draws, seed)
    values = [metrics.headline(labels, side) for side in sides]
    drawn = [draw_measures(labels, side, bootstrap) for side in sides]
    predicted = [side.argmax(axis=1) for side in sides]
    right_a, right_b = (side == labels for side in predicted)
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    names = dict(zip(("predicted_a", "predicted_b"), (np.array(CODES)[side] for side in predicted), strict=True))
    return Comparison(
        images=len(rows),
        lesions=rows["group"].nunique(),
        unit=name_unit(rows),
        differences={
            name: Difference(*(side[name] for side in values), *difference_interval(*(side[name] for side in drawn)))
            for name in MEASURES
        },
        only_a_right=only_a,
        only_b_right=only_b,
        p=float(binomtest(only_b, only_a + only_b).pvalue) if only_a + only_b else 1.0,
        disagreements=rows[["image_id", "group", "dx"]].assign(**names)[predicted[0] != predicted[1]],
    )


def match_images(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return the rows of A by path, and the row numbers that bring A and B into this order; UserError as in compare."""
    first, second = (rows.set_index("path")[["dx", "group", *ABOUT]].sort_index() for rows in (a, b))
    common = first.index.intersection(second.index)
    here, there = first.loc[common], second.loc[common]
    differs = here.ne(there) & ~(here.isna() & there.isna())
    counts = {
        "only in A": len(first) - len(common),
        "only in B": len(second) - len(common),
        "with another diagnosis": differs["dx"].sum(),
        "of another lesion": differs["group"].sum(),
        f"with other {', '.join(ABOUT)}": differs[ABOUT].any(axis=1).sum(),
    }
    if any(counts.values()):
        fault = ", ".join(f"{number} {kind}" for kind, number in counts.items() if number)
        remedy = "Run one of both again with the data, balance and split of the other (dvc params diff shows them)"
        raise UserError(
            f"A and B were scored on different images: of {len(first)} and {len(second)}, {fault}. {remedy}"
        )
    order_a, order_b = (rows["path"].argsort().to_numpy() for rows in (a, b))
    return a.iloc[order_a].reset_index(drop=True), order_a, order_b


def draw_measures(labels: np.ndarray, probabilities: np.ndarray, bootstrap: Bootstrap) -> dict[str, np.ndarray]:
    """Compute MEASURES in each draw (D,), averaged over the classes in the draw; NaN where it has one class only."""
    confusions = bootstrap.confusions(labels, probabilities.argmax(axis=1), len(CODES))
    areas = np.stack([bootstrap.roc_auc(labels == label, probabilities[:, label]) for label in np.unique(labels)])
    areas = ratio(np.nansum(areas, axis=0), np.isfinite(areas).sum(axis=0))
    return metrics.overall_metrics(confusions) | {"roc_auc_macro": areas}


def difference_interval(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Compute the interval of b - a over the draws (D,); 0 to 0 where both are equal in each draw."""
    return (0.0, 0.0) if np.array_equal(a, b, equal_nan=True) else interval(b - a)
