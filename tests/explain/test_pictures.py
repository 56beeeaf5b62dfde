"""The choice of images on the sheets, their order, captions and frames."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlesion.core import images
from skinlesion.core.ham10000 import CODES
from skinlesion.explain import choices, pictures
from skinlesion.model.predictions import Predictions
from skinlesion.sheets import sheet


def predict(*cases: tuple[str, str, float], images_per_lesion: int = 1) -> Predictions:
    """Make predictions from true class, predicted class and confidence; raw contradicts calibrated probabilities."""
    rows = pd.DataFrame(cases, columns=["dx", "predicted", "confidence"])
    number = rows.index.to_series()
    rows = rows.assign(path=number.map("{:03d}.png".format), group=number // images_per_lesion)
    calibrated = np.array([[(1 - confidence) / 6] * 7 for confidence in rows["confidence"]])
    calibrated[number, rows["predicted"].map(CODES.index)] = rows.pop("confidence")
    return Predictions(
        rows, rows["dx"].map(CODES.index).to_numpy(), {"calibrated": calibrated}, 1 - calibrated, calibrated
    )


def shuffle(predictions: Predictions) -> Predictions:
    order = np.random.default_rng(0).permutation(len(predictions.rows))
    probabilities = {name: values[order] for name, values in predictions.probabilities.items()}
    return Predictions(
        predictions.rows.iloc[order].reset_index(drop=True),
        predictions.labels[order],
        probabilities,
        predictions.headline[order],
        predictions.patient[order],
    )


MIXED = predict(
    *[("nv", "nv", 0.50 + number / 50) for number in range(20)],
    *[("nv", "mel", 0.40 + number / 50) for number in range(10)],
    *[("mel", "nv", 0.95), ("mel", "bcc", 0.6), ("mel", "mel", 0.7)],
    ("vasc", "vasc", 0.9),
)
ROWS = choices.rank_predictions(MIXED)


def test_predictions_are_ranked_by_calibrated_confidence_with_right_and_missed() -> None:
    rows = choices.rank_predictions(
        predict(("nv", "nv", 0.5), ("mel", "nv", 0.9), ("nv", "mel", 0.8), ("bcc", "mel", 0.6))
    )
    assert list(rows["confidence"]) == pytest.approx([0.9, 0.8, 0.6, 0.5])
    assert list(rows["right"]) == [False, False, False, True]
    assert list(rows["missed"]) == [True, False, False, False], "malignant, predicted benign"


def test_mistakes_are_the_most_confident_wrong_predictions_one_per_lesion() -> None:
    chosen = choices.choose_mistakes(ROWS)
    assert len(chosen) == 12
    assert not chosen["right"].any()
    assert chosen["confidence"].is_monotonic_decreasing
    pairs = predict(*[("bkl", "mel", 0.2 + n / 100) for n in range(80)], images_per_lesion=2)
    chosen = choices.choose_mistakes(choices.rank_predictions(pairs))
    assert list(chosen["confidence"]) == pytest.approx([0.99 - 0.02 * n for n in range(24)])


def test_without_mistakes_the_sheet_has_a_note_only() -> None:
    rows = choices.rank_predictions(predict(("nv", "nv", 0.5)))
    assert pictures.mistakes(choices.choose_mistakes(rows)) == []
    assert "None" in pictures.mistakes_note(rows)


def test_samples_are_right_then_wrong_from_the_most_to_the_least_confident() -> None:
    nevi = choices.choose_samples(ROWS).query("dx == 'nv'")
    assert list(nevi["right"]) == [True] * 4 + [False] * 4
    for right, members in ROWS[ROWS["dx"] == "nv"].groupby("right"):
        shown = nevi.loc[nevi["right"] == right, "confidence"]
        assert shown.is_monotonic_decreasing
        assert (shown.max(), shown.min()) == (members["confidence"].max(), members["confidence"].min())
    few_wrong = choices.choose_samples(choices.rank_predictions(predict(("df", "nv", 0.5), *[("df", "df", 0.6)] * 20)))
    assert list(few_wrong["right"]) == [True] * 7 + [False]


def test_a_few_images_of_each_class_are_explained_including_both_extremes() -> None:
    chosen = choices.choose_explained(ROWS)
    assert chosen["dx"].value_counts().to_dict() == {"nv": 4, "mel": 3, "vasc": 1}
    nevi, shown = (table.loc[table["dx"] == "nv", "confidence"] for table in (ROWS, chosen))
    assert (shown.max(), shown.min()) == (nevi.max(), nevi.min())


@pytest.mark.parametrize("choose", [choices.choose_samples, choices.choose_mistakes, choices.choose_explained])
def test_no_lesion_is_shown_twice_and_the_order_of_the_table_does_not_matter(choose: Callable) -> None:
    cases = [("nv", "mel" if number % 5 else "nv", 0.3 + number / 100) for number in range(60)]
    chosen = choose(choices.rank_predictions(predict(*cases, images_per_lesion=8)))
    assert len(chosen) > 3
    assert chosen["group"].is_unique
    equal = predict(*[("nv", "mel", 0.5)] * 30, *[("nv", "nv", 0.5)] * 30)
    for predictions in (MIXED, equal):
        tables = (choose(choices.rank_predictions(table)) for table in (predictions, shuffle(predictions)))
        pd.testing.assert_frame_equal(*tables)


@pytest.mark.parametrize("choose", [choices.choose_samples, choices.choose_explained])
def test_classes_are_in_order_without_those_that_have_no_images(choose: Callable) -> None:
    assert list(choose(ROWS)["dx"].unique()) == ["mel", "nv", "vasc"]


@pytest.fixture
def folder(tmp_path: Path, noise: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The images of MIXED, in the current directory."""
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate(MIXED.rows["path"]):
        images.write_png(Path(path), noise(number, 16, 16))
    return tmp_path


def test_samples_have_predictions_and_frames(folder: Path) -> None:
    rows = pictures.samples(choices.choose_samples(ROWS), ROWS)
    assert [row.name for row in rows] == ["mel\n1 of 3\nright", "nv\n20 of 30\nright", "vasc\n1 of 1\nright"]
    assert [(picture.caption, picture.frame) for picture in rows[0].pictures] == [
        ("✓ mel 0.70", pictures.RIGHT),
        ("✗ nv 0.95", pictures.MISSED),
        ("✗ bcc 0.60", pictures.WRONG),
    ]
    np.testing.assert_array_equal(rows[2].pictures[0].image, images.read(Path("033.png")))


def test_mistakes_have_the_true_class_too(folder: Path) -> None:
    rows = pictures.mistakes(choices.choose_mistakes(ROWS))
    assert [len(row.pictures) for row in rows] == [6, 6]
    first = rows[0].pictures[0]
    assert (first.caption, first.frame) == ("mel as nv 0.95", pictures.MISSED)
    np.testing.assert_array_equal(first.image, images.read(Path("030.png")))


def test_each_heat_map_is_beside_its_own_image(folder: Path) -> None:
    """Only the third image has heat, so only its right half differs from the image."""
    chosen = choices.choose_explained(ROWS)
    heat = np.zeros((len(chosen), 2, 2), np.float32)
    heat[2] = 1
    drawn = [picture.image for row in pictures.gradcam(chosen, ROWS, heat) for picture in row.pictures]
    for number, (path, picture) in enumerate(zip(chosen["path"], drawn, strict=True)):
        np.testing.assert_array_equal(picture[:, :16], images.read(Path(path)))
        assert (picture[:, -16:] == picture[:, :16]).all() == (number != 2)


def test_equal_predictions_give_the_same_bytes(folder: Path) -> None:
    def draw(predictions: Predictions) -> bytes:
        rows = choices.rank_predictions(predictions)
        chosen = choices.choose_explained(rows)
        heat = np.random.default_rng(0).random((len(chosen), 3, 3), np.float32)
        content = [
            *pictures.samples(choices.choose_samples(rows), rows),
            *pictures.mistakes(choices.choose_mistakes(rows)),
        ]
        sheet.write(content, folder / "sheet.png", "Title", pictures.SAMPLES_NOTE)
        sheet.write(pictures.gradcam(chosen, rows, heat), folder / "heat.png", "Title")
        return (folder / "sheet.png").read_bytes() + (folder / "heat.png").read_bytes()

    assert draw(MIXED) == draw(shuffle(MIXED))


def test_near_duplicates_are_side_by_side_with_ids_diagnoses_splits_and_distance(tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    for folder, grey in zip(folders, (0, 100), strict=True):
        folder.mkdir()
        for number in range(14):
            images.write_png(folder / f"{number}.png", np.full((8, 8, 3), grey + number, np.uint8))
    pairs = pd.DataFrame(
        {"image_id_1": str(n), "image_id_2": str(n + 1), "split_1": "train", "split_2": "test", "distance": 0.25}
        for n in range(13)
    )
    dx = pd.Series(["nv", "mel"] * 7, index=[str(n) for n in range(14)])
    rows = pictures.near_duplicates(pairs, dx, folders)
    drawn = [picture for row in rows for picture in row.pictures]
    assert len(drawn) == 12
    assert drawn[3].caption == "3 mel, train\n4 nv, test\ndistance 0.25"
    assert (drawn[3].image[:, :8] == 3).all() and (drawn[3].image[:, -8:] == 104).all()
    note = pictures.near_note(pairs[:0], pairs, "lesion")
    assert "0 pairs" in note and "13 of an external image" in note
    assert pictures.near_duplicates(pairs[:0], dx, folders) == []
    assert "No two images" in pictures.near_note(pairs[:0], pairs[:0], "lesion")
