"""Which images the sheets show, in which order, and what stands with them."""

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

Said = tuple[str, str, float]  # the truth, what the model said, how sure it was


def found(*said: Said, group: Callable[[int], object] = lambda number: number) -> Predictions:
    """Predictions of so many images; raw probabilities contradict the calibrated ones."""
    rows = pd.DataFrame(
        {
            "path": f"{number:03d}.png",
            "image_id": f"i{number}",
            "group": f"g{group(number)}",
            "dx": dx,
            "predicted": predicted,
        }
        for number, (dx, predicted, _) in enumerate(said)
    )
    calibrated = np.array([[(1 - sure) / 6] * 7 for *_, sure in said])
    calibrated[np.arange(len(said)), [CODES.index(predicted) for _, predicted, _ in said]] = [sure for *_, sure in said]
    return Predictions(rows, rows["dx"].map(CODES.index).to_numpy(), {"calibrated": calibrated, "raw": 1 - calibrated})


def shuffled(of: Predictions) -> Predictions:
    order = np.random.default_rng(0).permutation(len(of.rows))
    rows = of.rows.iloc[order].reset_index(drop=True)
    return Predictions(rows, of.labels[order], {name: values[order] for name, values in of.probabilities.items()})


MIXED = found(
    *[("nv", "nv", 0.50 + number / 50) for number in range(20)],
    *[("nv", "mel", 0.40 + number / 50) for number in range(10)],
    *[("mel", "nv", 0.95), ("mel", "bcc", 0.6), ("mel", "mel", 0.7)],
    ("vasc", "vasc", 0.9),
)


def test_judged_says_who_is_right_who_is_missed_and_how_sure() -> None:
    rows = choices.judged(found(("nv", "nv", 0.5), ("mel", "nv", 0.9), ("nv", "mel", 0.8), ("bcc", "mel", 0.6)))
    assert list(rows["confidence"]) == pytest.approx([0.9, 0.8, 0.6, 0.5])
    assert list(rows["right"]) == [False, False, False, True]
    assert list(rows["missed"]) == [True, False, False, False], "malignant, said benign"


def test_mistakes_are_wrong_and_fall_in_confidence() -> None:
    rows = choices.judged(MIXED)
    chosen = choices.mistakes(rows)
    assert len(chosen) == 12
    assert not chosen["right"].any()
    assert chosen["confidence"].is_monotonic_decreasing
    assert (chosen["dx"][0], chosen["predicted"][0]) == ("mel", "nv")


def test_only_the_most_confident_mistakes_are_shown_and_one_of_a_lesion() -> None:
    """80 mistakes of 40 lesions: the surer image of each, the 24 surest of those."""
    rows = choices.judged(found(*[("bkl", "mel", 0.2 + n / 100) for n in range(80)], group=lambda n: n // 2))
    chosen = choices.mistakes(rows)
    assert list(chosen["confidence"]) == pytest.approx([0.99 - 0.02 * n for n in range(24)])


def test_without_mistakes_the_sheet_says_so() -> None:
    rows = choices.judged(found(("nv", "nv", 0.5)))
    assert pictures.mistakes(choices.mistakes(rows)) == []
    assert "None" in pictures.mistakes_note(rows)


def test_samples_show_right_and_wrong_from_the_surest_to_the_least_sure() -> None:
    rows = choices.judged(MIXED)
    nevi = choices.samples(rows).query("dx == 'nv'")
    assert list(nevi["right"]) == [True] * 4 + [False] * 4
    for right, all_of_them in rows[rows["dx"] == "nv"].groupby("right"):
        shown = nevi.loc[nevi["right"] == right, "confidence"]
        assert shown.is_monotonic_decreasing
        assert (shown.max(), shown.min()) == (all_of_them["confidence"].max(), all_of_them["confidence"].min())


def test_where_few_are_wrong_more_right_ones_are_shown() -> None:
    chosen = choices.samples(choices.judged(found(("df", "nv", 0.5), *[("df", "df", 0.6)] * 20)))
    assert list(chosen["right"]) == [True] * 7 + [False]


def test_no_lesion_is_shown_twice() -> None:
    said = [("nv", "mel" if number % 5 else "nv", 0.3 + number / 100) for number in range(60)]
    rows = choices.judged(found(*said, group=lambda number: number % 7))
    for choose in (choices.samples, choices.mistakes, choices.explained):
        chosen = choose(rows)
        assert len(chosen) > 3
        assert chosen["group"].is_unique


@pytest.mark.parametrize("choose", [choices.samples, choices.explained])
def test_classes_stand_in_order_and_those_without_images_are_left_out(choose: Callable) -> None:
    assert list(choose(choices.judged(MIXED))["dx"].unique()) == ["mel", "nv", "vasc"]


def test_a_few_of_each_class_are_explained_the_surest_and_the_least_sure_among_them() -> None:
    rows = choices.judged(MIXED)
    chosen = choices.explained(rows)
    assert chosen["dx"].value_counts().to_dict() == {"nv": 4, "mel": 3, "vasc": 1}
    nevi, shown = (table.loc[table["dx"] == "nv", "confidence"] for table in (rows, chosen))
    assert (shown.max(), shown.min()) == (nevi.max(), nevi.min())


@pytest.mark.parametrize("choose", [choices.samples, choices.mistakes, choices.explained])
def test_the_order_of_the_table_does_not_matter(choose: Callable) -> None:
    equal = found(*[("nv", "mel", 0.5)] * 30, *[("nv", "nv", 0.5)] * 30)
    for table in (MIXED, equal):
        pd.testing.assert_frame_equal(*(choose(choices.judged(of)) for of in (table, shuffled(table))))


@pytest.fixture
def folder(tmp_path: Path, noise: Callable, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pictures of MIXED, as the current directory."""
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate(MIXED.rows["path"]):
        images.write_png(Path(path), noise(number, 16, 16))
    return tmp_path


def shown_image(path: str) -> np.ndarray:
    return images.read(Path(path))


def test_samples_carry_what_was_said_and_a_frame(folder: Path) -> None:
    rows = choices.judged(MIXED)
    mel, nv, vasc = pictures.samples(choices.samples(rows), rows)
    assert [row.name for row in (mel, nv, vasc)] == [
        "mel\n1 of 3\nright",
        "nv\n20 of 30\nright",
        "vasc\n1 of 1\nright",
    ]
    assert [(one.caption, one.frame) for one in mel.pictures] == [
        ("✓ mel 0.70", pictures.RIGHT),
        ("✗ nv 0.95", pictures.MISSED),
        ("✗ bcc 0.60", pictures.WRONG),
    ]
    np.testing.assert_array_equal(vasc.pictures[0].image, shown_image("033.png"))


def test_mistakes_carry_the_truth_too(folder: Path) -> None:
    rows = pictures.mistakes(choices.mistakes(choices.judged(MIXED)))
    assert [len(row.pictures) for row in rows] == [6, 6]
    first = rows[0].pictures[0]
    assert (first.caption, first.frame) == ("mel, said nv 0.95", pictures.MISSED)
    np.testing.assert_array_equal(first.image, shown_image("030.png"))


def test_heat_lies_beside_its_own_image(folder: Path) -> None:
    """Only the third of the chosen has heat: its right half changes, that of the others does not."""
    rows = choices.judged(MIXED)
    chosen = choices.explained(rows)
    heat = np.zeros((len(chosen), 2, 2), np.float32)
    heat[2] = 1
    drawn = [one for row in pictures.gradcam(chosen, rows, heat) for one in row.pictures]
    assert len(drawn) == len(chosen)
    for number, (path, picture) in enumerate(zip(chosen["path"], drawn, strict=True)):
        original, overlaid = picture.image[:, :16], picture.image[:, -16:]
        np.testing.assert_array_equal(original, shown_image(path))
        assert (overlaid == original).all() == (number != 2)


def test_the_sheets_are_the_same_bytes_again(folder: Path, tree: Callable) -> None:
    def draw(table: Predictions, name: str) -> bytes:
        rows = choices.judged(table)
        chosen = choices.explained(rows)
        heat = np.random.default_rng(0).random((len(chosen), 3, 3), np.float32)
        content = [
            *pictures.samples(choices.samples(rows), rows),
            *pictures.mistakes(choices.mistakes(rows)),
        ]
        sheet.write(content, folder / f"{name}.png", "Title", pictures.SAMPLES_NOTE)
        sheet.write(pictures.gradcam(chosen, rows, heat), folder / f"{name}_heat.png", "Title")
        return (folder / f"{name}.png").read_bytes() + (folder / f"{name}_heat.png").read_bytes()

    assert draw(MIXED, "first") == draw(shuffled(MIXED), "again")
