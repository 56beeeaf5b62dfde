"""What needs no picture: the scores that a model of images must beat, and what both know together.

`patient` is gradient boosting on age, sex and site. `fusion` is the weighted mean of its probabilities and those of the
headline.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import metrics
from skinlesion.evaluate.decision import choose_on_validation
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import Predictions

FEATURES = ["age", "sex", "localization"]


@dataclass(frozen=True)
class Floors:
    """The fusion's weight of `patient`, and a table: model, measure, value, low, high (95% interval, or none)."""

    weight: float
    table: pd.DataFrame

    @property
    def figures(self) -> dict[str, float]:
        """For metrics/test.json: `<model>_<measure>` of the models beside the images, less ROC-AUC; fusion_weight."""
        rows = self.table[(self.table["model"] != "images") & (self.table["measure"] != "roc_auc_macro")]
        values = {f"{row.model}_{row.measure}": row.value for row in rows.itertuples()}
        return {**values, "fusion_weight": self.weight}


def predict_patients(splits: pd.DataFrame, metadata: pd.DataFrame, seed: int) -> np.ndarray:
    """Probabilities (N, 7) of every row of data/splits.csv from FEATURES alone, learned from the training originals.

    Classes count as equally frequent. Age, sex or site may be missing.
    """
    rows = metadata.set_index("image_id").loc[splits["image_id"], FEATURES].reset_index(drop=True)
    learned = ((splits["split"] == "train") & ~splits["augmented"]).to_numpy()
    for column in ("sex", "localization"):  # a value that training has not seen is missing
        rows[column] = pd.Categorical(rows[column], sorted(rows.loc[learned, column].dropna().unique()))
    if rows.loc[learned, "age"].isna().all():  # the trees need a value
        rows["age"] = 0.0
    model = HistGradientBoostingClassifier(class_weight="balanced", early_stopping=False, random_state=seed)
    with threadpool_limits(1, user_api="openmp"):  # on a busy machine two threads take 90 s, one takes 2 s
        model.fit(rows[learned], splits.loc[learned, "dx"])
        predicted = pd.DataFrame(model.predict_proba(rows), columns=model.classes_)
    return predicted.reindex(columns=CODES, fill_value=0).to_numpy()


def compare(validation: Predictions, test: Predictions, draws: Bootstrap) -> Floors:
    """Score the most frequent class of validation, `patient`, the images and their fusion on the test split.

    The fusion's weight is the one with the best balanced accuracy on validation; the smallest of equals.
    """
    weight = choose_on_validation(validation.labels, lambda weight: fuse(validation, weight))
    majority = np.eye(len(CODES))[np.bincount(validation.labels).argmax()]
    models = {
        "majority": np.tile(majority, (len(test.labels), 1)),
        "patient": test.patient,
        "images": test.headline,
        "fusion": fuse(test, weight),
    }
    return Floors(weight, pd.concat([score(name, values, test.labels, draws) for name, values in models.items()]))


def fuse(part: Predictions, weight: float) -> np.ndarray:
    return (1 - weight) * part.headline + weight * part.patient


def score(name: str, probabilities: np.ndarray, labels: np.ndarray, draws: Bootstrap) -> pd.DataFrame:
    """Rows of the table for one model: accuracy and balanced accuracy with intervals, macro ROC-AUC without."""
    values = metrics.headline(labels, probabilities)
    bounds = draws.overall(labels, probabilities.argmax(axis=1)) | {"roc_auc_macro": (np.nan, np.nan)}
    measures = ("accuracy", "balanced_accuracy", "roc_auc_macro")
    rows = [(name, measure, values[measure], *bounds[measure]) for measure in measures]
    return pd.DataFrame(rows, columns=["model", "measure", "value", "low", "high"])
