"""What predict gives for a batch of images: rows for programs, text and Grad-CAM pictures for people."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from skinlesion.commands.outputs import COLUMNS, SOFTWARE
from skinlesion.core import images
from skinlesion.core.ham10000 import CODES, MALIGNANT, NAMES
from skinlesion.explain.gradcam import Explainer
from skinlesion.explain.overlay import overlay
from skinlesion.model.bundle import Bundle
from skinlesion.model.classify import DECODERS, Batch
from skinlesion.report.wording import name_class
from skinlesion.runtime.files import replace_file

SIDE = 448  # px; larger than most models' input, so that people see details


def make_table(batch: Batch) -> pd.DataFrame:
    """One row per readable image (outputs.COLUMNS), natural probabilities rounded to 6 decimals."""
    table = pd.DataFrame(batch.natural.round(6), columns=list(CODES))
    table["path"] = [printable(file) for file in batch.files]
    table["predicted"] = np.array(CODES)[batch.predicted]
    table["unlike_training"] = batch.unlike
    return table[COLUMNS]


def printable(value: object) -> str:
    """A path, or a message with one, as UTF-8 text: file names may hold bytes that are not text."""
    return os.fsencode(str(value)).decode(errors="backslashreplace")


def count_images(number: int) -> str:
    return f"{number} image{'s' * (number != 1)}"


def describe(table: pd.DataFrame, top: int, limit: int | None = None) -> str:
    """List the `top` most probable classes of the first `limit` images (None: of all), then the images per class.

    Images that look unlike the training images are marked, and counted at the end.
    """
    listed = table if limit is None else table.head(limit)
    words = [name_class(code) + ", malignant" * (code in MALIGNANT) for code in CODES]
    image, diagnosis = max(len("image"), *map(len, listed["path"])), max(map(len, words))
    lines = [f"{'image':<{image}}  {'diagnosis':<{diagnosis}}  probability"]
    probabilities = listed[list(CODES)].to_numpy()
    for path, unlike, values in zip(listed["path"], listed["unlike_training"], probabilities, strict=True):
        for rank, label in enumerate(np.argsort(-values, kind="stable")[:top]):
            lines.append(f"{'' if rank else path:<{image}}  {words[label]:<{diagnosis}}  {values[label]:>11.1%}")
        if unlike:
            lines.append(f"{'':<{image}}  looks unlike the training images")
    if more := len(table) - len(listed):
        lines.append(f"{count_images(more)} more in the CSV")
    if len(table) > 1:
        counts = table["predicted"].map(NAMES).value_counts()
        lines.append(f"{count_images(len(table))}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
    if unlike := int(table["unlike_training"].sum()):
        verb, remedy = ("looks", "its probabilities") if unlike == 1 else ("look", "their probabilities")
        of_all = f"{unlike} of {count_images(len(table))}"
        lines.append(f"{of_all} {verb} unlike the training images: do not rely on {remedy}")
    return "\n".join(lines)


def write_pictures(bundle: Bundle, explainer: Explainer, batch: Batch, folder: Path, names: dict[Path, str]) -> None:
    """Write each image, as the model receives it, with its Grad-CAM for the predicted class, as names[file].png."""
    side = max(SIDE, bundle.model.input_shape[1])
    metadata = PngInfo()
    metadata.add_text("Software", SOFTWARE)  # outputs.check_pictures recognises our pictures by it

    def draw(file: Path, heat: np.ndarray) -> None:
        image, _ = images.square(file, side, bundle.fit)
        with replace_file(folder / f"{names[file]}.png") as partial:
            Image.fromarray(overlay(image, heat)).save(partial, "PNG", pnginfo=metadata, compress_level=1)

    with ThreadPoolExecutor(DECODERS) as threads:
        list(threads.map(draw, batch.files, explainer.heatmaps(batch.squares, batch.predicted)))
