"""Read a set in the layout of the ISIC 2018 challenge, task 3: images, and a ground truth with a column per class."""

import re
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import pandas as pd

from skinlesion.core import metadata
from skinlesion.core.ham10000 import CODES
from skinlesion.external.labelled import LabelledSet
from skinlesion.runtime.archives import Member, list_members, printable, select_once
from skinlesion.runtime.errors import UserError, listing

IMAGE = re.compile(r"(ISIC_[0-9]{1,20})\.(?i:jpe?g)")
PICTURE = re.compile(r"(?!\.).*\.(jpe?g|png|bmp|tiff?)", re.IGNORECASE)
TRUTH = re.compile(r"(?!\.).*GroundTruth\.csv", re.IGNORECASE)
IMAGES_ZIP = re.compile(r"(?!\.).*Test_(Input|Images).*\.zip", re.IGNORECASE)
CLASSES = {code.upper(): code for code in CODES}  # MEL -> mel
COLUMNS = ["image", *CLASSES]
RULES: list[metadata.Rule] = [
    ("image", "up to 100 letters, digits, _ and -", metadata.IMAGE_ID.fullmatch),
    *((name, "0 or 1", re.compile(r"[01](\.0*)?").fullmatch) for name in CLASSES),
]
REMEDY = "Correct that in the archive, then run: dvc repro -f external"
EXPECTED = (
    "It needs the images, as ISIC2018_Task3_Test_Input/ISIC_<digits>.jpg, and ISIC2018_Task3_Test_GroundTruth.csv. "
    "Correct external.archive, or set external.source: none"
)


def read(archive: Path, stack: ExitStack) -> LabelledSet:
    """Read a zip or folder; `stack` closes it.

    The ground truth has the columns of COLUMNS, one of them 1 in each row, or those of HAM10000_metadata.csv, as
    Harvard Dataverse's has.

    Raises:
        UserError: the archive is missing or unsafe, has no image or not one ground truth, or its rows and images do not
            match or break a rule; the message names them.
    """
    members = list(list_members(archive, "external.archive", IMAGES_ZIP, stack))
    images = [(match[1], member) for member in members if (match := IMAGE.fullmatch(member.path.name))]
    truths = select_once((member.path.name, member) for member in members if TRUTH.fullmatch(member.path.name))
    if not images or len(truths) != 1:
        names = listing(sorted(printable(member.path) for member in members)) or "no files"
        fault = "no image named ISIC_<digits>.jpg" if not images else f"{len(truths)} files named *GroundTruth.csv"
        raise UserError(f"external.archive: {archive} has {fault}. It has: {names}. {EXPECTED}")
    named = {member.path for _, member in images}
    pictures = [member for member in members if PICTURE.fullmatch(member.path.name)]
    if others := [printable(member.path) for member in pictures if member.path not in named]:
        raise UserError(
            f"external.archive: {archive} has pictures whose names are not ISIC_<digits>.jpg ({len(others)}): "
            f"{listing(others)}. {EXPECTED}"
        )
    files = select_once(images)
    table = read_truth(next(iter(truths.values())))
    with metadata.naming(archive, REMEDY):
        metadata.match_images(table, files)

    def open_image(image_id: str) -> BytesIO:
        content = BytesIO(files[image_id].read())
        content.name = str(files[image_id])  # for messages
        return content

    return LabelledSet(table, open_image)


def read_truth(member: Member) -> pd.DataFrame:
    """Read the ground truth into the columns of HAM10000_metadata.csv, sorted by image_id."""
    content = member.read()
    with metadata.naming(member, REMEDY):
        cells = metadata.read_cells(BytesIO(content))
    if "dx" in cells.columns:
        return metadata.read(BytesIO(content), member, REMEDY)
    with metadata.naming(member, REMEDY):
        if unknown := [repr(name) for name in cells.columns if name not in COLUMNS]:
            raise UserError(f"unknown columns: {listing(unknown)}. Its columns are {', '.join(COLUMNS)}")
        cells = metadata.check(cells, COLUMNS, RULES, "image")
        ones = cells[[*CLASSES]].astype(float)
        metadata.refuse(cells["image"], list(ones.sum(axis=1) != 1), "a row needs exactly one 1")
    known = {"image_id": cells["image"], "dx": ones.idxmax(axis=1).map(CLASSES)}
    table = pd.DataFrame(dict.fromkeys(metadata.COLUMNS, "") | known, index=cells.index)
    return table.assign(age=float("nan")).sort_values("image_id", ignore_index=True)
