"""The rows of the sheets that show what a model said of images, and what it looked at."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from skinlesion.core import images
from skinlesion.explain.choices import by_class
from skinlesion.explain.overlay import overlay
from skinlesion.sheets.sheet import Picture, Row

PER_ROW = 6  # mistakes
APART = 3  # px between an image and its heat map
RIGHT, WRONG, MISSED = "#1b7f4d", "#e08a00", "#b00020"  # frames
FRAMES = "Red frame: a malignant lesion taken for a benign one; orange: any other mistake."
FIGURE = "The figure is the calibrated probability of what the model said."

SAMPLES_NOTE = (
    "A row for each true diagnosis: right predictions (green frame), then wrong ones, each from the most to the least "
    f"confident, each lesion once. Mistakes fill up to half of a row, whatever their share. {FRAMES} {FIGURE}"
)


def samples(chosen: pd.DataFrame, rows: pd.DataFrame) -> list[Row]:
    """A row for each class."""
    return class_rows(chosen, rows, lambda row, image: Picture(image, said(row), frame(row)))


def gradcam(chosen: pd.DataFrame, rows: pd.DataFrame, heat: np.ndarray) -> list[Row]:
    """A row for each class; `heat` (N, h, w) belongs to `chosen`, row by row."""

    def pair(row: tuple, image: np.ndarray) -> Picture:
        gap = np.full((len(image), APART, 3), 255, np.uint8)
        return Picture(np.hstack([image, gap, overlay(image, heat[row.Index])]), said(row))

    return class_rows(chosen, rows, pair)


def mistakes(chosen: pd.DataFrame) -> list[Row]:
    """All of them in their order."""
    pictures = [
        Picture(images.read(Path(row.path)), f"{row.dx}, said {row.predicted} {row.confidence:.2f}", frame(row))
        for row in chosen.itertuples()
    ]
    return [Row("", pictures[start : start + PER_ROW]) for start in range(0, len(pictures), PER_ROW)]


def class_rows(chosen: pd.DataFrame, rows: pd.DataFrame, picture: Callable[[tuple, np.ndarray], Picture]) -> list[Row]:
    """A row for each class, named with how many of its images in `rows`, a whole split, are predicted right."""
    named = []
    for members in by_class(chosen):
        code = members["dx"].iloc[0]
        right = rows.loc[rows["dx"] == code, "right"]
        pictures = [picture(row, images.read(Path(row.path))) for row in members.itertuples()]
        named.append(Row(f"{code}\n{right.sum()} of {len(right)}\nright", pictures))
    return named


def said(row: tuple) -> str:
    return f"{'✓' if row.right else '✗'} {row.predicted} {row.confidence:.2f}"


def frame(row: tuple) -> str:
    return RIGHT if row.right else MISSED if row.missed else WRONG


def mistakes_note(rows: pd.DataFrame) -> str:
    """How to read the sheet of mistakes among `rows`, a whole split."""
    wrong = int((~rows["right"]).sum())
    if not wrong:
        return "None of them is predicted wrong."
    return f"{wrong:,} of them are predicted wrong; here, the most confident first, each lesion once. {FRAMES} {FIGURE}"


def gradcam_note(heat: np.ndarray) -> str:
    """How to read the sheet of heat maps (N, h, w)."""
    height, width = heat.shape[1:]
    between = "what lies between is interpolated" if height * width > 1 else "too few to say where"
    return (
        "A row for each true diagnosis, from the most to the least confident prediction. Beside each image: what spoke "
        "for the diagnosis that the model said, from nothing (the image as it is) to most (yellow). The network tells "
        f"{height} x {width} places apart; {between}. Maps are means over the image and its mirror images. {FIGURE}"
    )
