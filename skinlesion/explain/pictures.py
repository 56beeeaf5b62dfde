"""Rows and notes of the sheets: test images with their predictions and heat maps, near-identical images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.core import images
from skinlesion.explain.choices import split_classes
from skinlesion.explain.overlay import overlay
from skinlesion.sheets.sheet import Picture, Row

PER_ROW = 6  # mistakes
PAIRS, PAIRS_PER_ROW = 12, 4  # near duplicates
APART = 3  # px between an image and its heat map, or its near duplicate
RIGHT, WRONG, MISSED = "#1b7f4d", "#e08a00", "#b00020"  # frames
FRAMES = "Red frame: a malignant lesion predicted as benign; orange: any other mistake."
FIGURE = "Numbers are the calibrated probability of the predicted class."
SAMPLES_NOTE = (
    "One row per true class: right predictions (green frame), then wrong ones, each from the most to the least "
    f"confident, each lesion once. Up to half of a row are mistakes, whatever their share. {FRAMES} {FIGURE}"
)


def samples(chosen: pd.DataFrame, rows: pd.DataFrame) -> list[Row]:
    """Make a row for each class of images with their predictions."""
    return class_rows(chosen, rows, lambda row, image: Picture(image, caption(row), frame(row)))


def gradcam(chosen: pd.DataFrame, rows: pd.DataFrame, heat: np.ndarray) -> list[Row]:
    """Make a row for each class of images beside their heat maps; `heat` (N, h, w) is in the order of `chosen`."""

    def pair(row: tuple, image: np.ndarray) -> Picture:
        return Picture(side_by_side(image, overlay(image, heat[row.Index])), caption(row))

    return class_rows(chosen, rows, pair)


def mistakes(chosen: pd.DataFrame) -> list[Row]:
    """Make rows of mistakes in their order."""
    pictures = [
        Picture(images.read(Path(row.path)), f"{row.dx} as {row.predicted} {row.confidence:.2f}", frame(row))
        for row in chosen.itertuples()
    ]
    return [Row("", pictures[start : start + PER_ROW]) for start in range(0, len(pictures), PER_ROW)]


def near_duplicates(pairs: pd.DataFrame, dx: pd.Series, folders: tuple[Path, Path]) -> list[Row]:
    """Make rows of the closest pairs, side by side.

    Args:
        pairs: columns image_id_1, image_id_2, split_1, split_2, distance.
        dx: by image_id.
        folders: of the first and of the second images.
    """
    pictures = []
    for pair in pairs[:PAIRS].itertuples():
        ids = (pair.image_id_1, pair.image_id_2)
        captions = [
            f"{image_id} {dx[image_id]}, {split}"
            for image_id, split in zip(ids, (pair.split_1, pair.split_2), strict=True)
        ]
        both = side_by_side(*(images.read(folder / f"{name}.png") for folder, name in zip(folders, ids, strict=True)))
        pictures.append(Picture(both, "\n".join([*captions, f"distance {pair.distance:.2f}"])))
    return [Row("", pictures[start : start + PAIRS_PER_ROW]) for start in range(0, len(pictures), PAIRS_PER_ROW)]


def side_by_side(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Join two images of one height, with a gap."""
    return np.hstack([first, np.full((len(first), APART, 3), 255, np.uint8), second])


def class_rows(chosen: pd.DataFrame, rows: pd.DataFrame, picture: Callable[[tuple, np.ndarray], Picture]) -> list[Row]:
    """Make a row for each class, whose name counts the right predictions in `rows`, the whole split."""
    named = []
    for members in split_classes(chosen):
        code = members["dx"].iloc[0]
        right = rows.loc[rows["dx"] == code, "right"]
        pictures = [picture(row, images.read(Path(row.path))) for row in members.itertuples()]
        named.append(Row(f"{code}\n{right.sum()} of {len(right)}\nright", pictures))
    return named


def caption(row: tuple) -> str:
    return f"{'✓' if row.right else '✗'} {row.predicted} {row.confidence:.2f}"


def frame(row: tuple) -> str:
    return RIGHT if row.right else MISSED if row.missed else WRONG


def mistakes_note(rows: pd.DataFrame) -> str:
    """Explain the sheet of mistakes among `rows`, the whole split."""
    wrong = int((~rows["right"]).sum())
    if not wrong:
        return "None of them is misclassified."
    return f"{wrong:,} of them are misclassified. The most confident are first, each lesion once. {FRAMES} {FIGURE}"


def near_note(within: pd.DataFrame, across: pd.DataFrame, protocol: str) -> str:
    """Explain the sheet of near-identical pairs `within` HAM10000, and `across` it and the external set."""
    start = f"All original images, protocol {protocol}. "
    if within.empty and across.empty:
        return f"{start}No two images under different lesion ids are near-identical."
    return (
        f"{start}{len(within):,} pairs of images under different lesion ids are near-identical, and {len(across):,} of "
        "an external image with one of HAM10000; the closest of both are shown. Distance is 1 minus the share of "
        "features that match. Some pairs can show two lesions: look before you add a pair to the file that "
        "data.duplicates names."
    )


def gradcam_note(heat: np.ndarray) -> str:
    """Explain the sheet of heat maps (N, h, w)."""
    height, width = heat.shape[1:]
    detail = "the rest is interpolated" if height * width > 1 else "too few to locate anything"
    return (
        "One row per true class, from the most to the least confident prediction. Beside each image: the regions that "
        "raise the score of the predicted class, from none (image unchanged) to most (yellow). The grid has "
        f"{height} x {width} cells; {detail}. Maps are means over the image and its mirror images. {FIGURE}"
    )
