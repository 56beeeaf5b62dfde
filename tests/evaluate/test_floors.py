"""Scores without the image, and of both together, on data whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from skinlesion.core.ham10000 import CODES
from skinlesion.evaluate import floors
from skinlesion.evaluate.intervals import Bootstrap
from skinlesion.model.predictions import Predictions

MEL, NV, VASC = map(CODES.index, ("mel", "nv", "vasc"))


def make_patients(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Splits and metadata of lesions whose class age and site decide: vasc on the face, mel above 50, else nv."""
    random = np.random.default_rng(0)
    age, face = random.integers(20, 80, number).astype(float), random.random(number) < 0.2
    metadata = pd.DataFrame(
        {
            "image_id": [f"image_{index}" for index in range(number)],
            "age": age,
            "sex": random.choice(["male", "female", None], number),
            "localization": np.where(face, "face", "back"),
        }
    )
    splits = metadata[["image_id"]].assign(
        dx=np.where(face, "vasc", np.where(age > 50, "mel", "nv")),
        split=random.choice(["train", "validation", "test"], number),
        augmented=False,
    )
    return splits, metadata


def test_age_and_site_are_learned_from_the_training_originals_alone():
    splits, metadata = make_patients(600)
    truth = splits["dx"]
    train = splits["split"] == "train"
    splits.loc[~train, "dx"] = "df"  # never seen
    copies = splits[train].assign(augmented=True, dx="bcc")
    predicted = floors.predict_patients(pd.concat([splits, copies], ignore_index=True), metadata, 1)
    np.testing.assert_allclose(predicted.sum(axis=1), 1)
    assert np.array_equal(np.array(CODES)[predicted[:600].argmax(axis=1)], truth)
    assert not predicted[:, [CODES.index("df"), CODES.index("bcc")]].any()


def test_classes_count_as_equally_frequent():
    """At 70 there are 300 nv and 80 mel, at 30 and 50 300 and 10: of all mel 80% are 70, of all nv a third."""
    rows = [(age, dx) for age, mel in {30: 10, 50: 10, 70: 80}.items() for dx in ["nv"] * 300 + ["mel"] * mel]
    metadata = pd.DataFrame(rows, columns=["age", "dx"]).assign(sex="male", localization="back")
    metadata["image_id"] = metadata.index.astype(str)
    splits = metadata[["image_id", "dx"]].assign(split="train", augmented=False)
    predicted = pd.Series(floors.predict_patients(splits, metadata, 1).argmax(axis=1)).groupby(metadata["age"]).unique()
    assert predicted.to_dict() == {30: [NV], 50: [NV], 70: [MEL]}


def test_age_sex_and_site_may_all_be_missing_in_training():
    splits, metadata = make_patients(100)
    train = (splits["split"] == "train").to_numpy()
    metadata.loc[train, floors.FEATURES] = np.nan
    for rows in (metadata, metadata.assign(**dict.fromkeys(floors.FEATURES, np.nan))):
        predicted = floors.predict_patients(splits, rows, 1)
        np.testing.assert_allclose(predicted, predicted[:1].repeat(100, 0))


def test_rows_beside_change_no_prediction_even_with_sites_that_training_has_not_seen():
    splits, metadata = make_patients(300)
    beside = metadata.assign(
        image_id="other_" + metadata["image_id"], localization="another site", age=np.nan, sex=np.nan
    )
    rows = splits.assign(image_id=beside["image_id"], split="external")
    together = (pd.concat(both, ignore_index=True) for both in ((splits, rows), (metadata, beside)))
    predicted = floors.predict_patients(*together, 1)
    np.testing.assert_array_equal(predicted[:300], floors.predict_patients(splits, metadata, 1))
    np.testing.assert_allclose(predicted[300:], predicted[300:301].repeat(300, 0))


def part(labels: np.ndarray, headline: np.ndarray, patient: np.ndarray) -> Predictions:
    rows = pd.DataFrame({"group": [f"lesion_{number}" for number in range(len(labels))]})
    return Predictions(rows, labels, {}, headline, patient)


def test_scores_are_those_of_each_model_and_the_fusion_uses_both():
    """The image tells vasc from the others, the patient tells mel from nv."""
    labels = np.array([NV] * 6 + [MEL] * 3 + [VASC] * 3)
    headline, patient = np.full((12, 7), 0.001), np.full((12, 7), 0.001)
    headline[:, NV], headline[:9, MEL] = 0.30, 0.29
    headline[9:, VASC] = 0.9
    patient[:6, NV], patient[6:, MEL] = 0.5, 0.5
    split = part(labels, headline, patient)
    draws = Bootstrap.draw(split.rows["group"], 200, 1)
    result = floors.compare(split, split, draws)
    scores = result.table.set_index(["model", "measure"])["value"]
    assert scores["majority", "accuracy"] == 6 / 12
    assert scores["majority", "balanced_accuracy"] == pytest.approx(1 / 3)
    assert scores["patient", "balanced_accuracy"] == pytest.approx(2 / 3)
    assert scores["images", "balanced_accuracy"] == pytest.approx(2 / 3)
    assert scores["fusion", "balanced_accuracy"] == 1
    assert 0 < result.weight <= 0.1, "the smallest that is best"
    bounds = result.table.set_index(["model", "measure"]).loc[("patient", "accuracy")]
    assert bounds["low"] < bounds["value"] < bounds["high"]
    assert result.figures["fusion_weight"] == result.weight
    assert result.figures["patient_balanced_accuracy"] == scores["patient", "balanced_accuracy"]


def test_the_weight_is_chosen_on_validation():
    labels = np.array([NV, MEL, VASC])
    right, wrong = np.eye(7)[labels], np.eye(7)[np.roll(labels, 1)]
    test = part(labels, wrong, right)
    validation = part(labels, right, wrong)
    result = floors.compare(validation, test, Bootstrap.draw(test.rows["group"], 100, 1))
    assert result.weight == 0
    assert result.figures["fusion_balanced_accuracy"] == 0
