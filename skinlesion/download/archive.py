"""Unpack a HAM10000 archive into HAM10000's own layout: two part folders and the metadata CSV.

Accepted are the zip of Kaggle (it holds each image twice), the same as a folder, both also below other top folders, and
a folder with the files of Harvard Dataverse (two zips of images, and the metadata).

An archive is untrusted input. Only images and the metadata CSV are read. They are written under names that are made
here from an image id and a part number, never under a path from the archive.
"""

import re
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from skinlesion.runtime.archives import Member, list_members, printable, select_once
from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.paths import RAW_METADATA

IMAGE = re.compile(r"(ISIC_[0-9]{1,20})\.(?i:jpe?g)")
METADATA = re.compile(r"HAM10000_metadata(\.csv)?", re.IGNORECASE)
PART = re.compile(r"images_part_([12])", re.IGNORECASE)  # in the name of a part folder or a part zip
PART_ZIP = re.compile(r"(?!\.).*images_part_[12].*\.zip", re.IGNORECASE)
MAX_TOTAL = 10 * 10**9  # bytes: the original images have 2.8 GB
EXPECTED = (
    "Set data.archive to Kaggle's zip, or to a folder with the part folders or part zips and HAM10000_metadata.csv "
    "(from Dataverse in its original format, not .tab)"
)


def unpack(archive: Path, target: Path) -> None:
    """Copy the images and the metadata CSV of a zip or folder into the empty folder `target`.

    Writes HAM10000_metadata.csv and HAM10000_images_part_<1|2>/<image_id>.jpg, with the same content, and nothing else.
    A file that is in the archive several times is written once. If some images are in part folders or part zips, only
    those are taken; otherwise all images go to part 1.

    Raises:
        UserError: `archive` is missing, damaged or encrypted, or has no image, no metadata, copies that differ, a file
            above archives.MAX_FILE, more than MAX_TOTAL, or a link that leads out of the folder.
        OSError: a folder cannot be read, or a file cannot be written.
    """
    with ExitStack() as stack:
        files = select_files(list(list_members(archive, "data.archive", PART_ZIP, stack)), archive)
        total = 0
        for name, member in tqdm(files.items(), desc="unpacking", unit="file", disable=None):
            content = member.read()
            total += len(content)
            if total > MAX_TOTAL:
                raise UserError(f"{archive} has more than {MAX_TOTAL / 10**9:g} GB of images. {EXPECTED}")
            folder = (
                target if name == RAW_METADATA.name else target / f"HAM10000_images_part_{part_number(member) or 1}"
            )
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)


def part_number(member: Member) -> int:
    """1 or 2 from the innermost part folder or part zip, 0 outside of them."""
    numbers = PART.findall(str(member.path.parent))
    return int(numbers[-1]) if numbers else 0


def select_files(members: list[Member], archive: Path) -> dict[str, Member]:
    """Map each new file name to its member: the metadata CSV, then each image once; refuse copies that differ."""
    tables = [member for member in members if METADATA.fullmatch(member.path.name)]
    images = [member for member in members if IMAGE.fullmatch(member.path.name)]
    # Images outside the parts, such as the test set of ISIC 2018, do not belong to HAM10000.
    images = [member for member in images if part_number(member)] or images
    for kind, candidates in ((RAW_METADATA.name, tables), ("image named ISIC_<digits>.jpg", images)):
        if not candidates:
            names = listing(sorted(printable(member.path) for member in members)) or "no files"
            raise UserError(f"{archive} has no {kind}. It has: {names}. {EXPECTED}")
    images.sort(key=lambda member: (part_number(member), member.path))
    named = [(f"{IMAGE.fullmatch(member.path.name)[1]}.jpg", member) for member in images]
    return select_once([*((RAW_METADATA.name, member) for member in tables), *named])
