"""Unpack a HAM10000 archive into HAM10000's own layout: two part folders and the metadata CSV.

Accepted are the zip of Kaggle (it holds each image twice), the same as a folder, both also below other top folders, and
a folder with the files of Harvard Dataverse (two zips of images, and the metadata).

An archive is untrusted input. Only images and the metadata CSV are read. They are written under names that are made
here from an image id and a part number, never under a path from the archive.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from tqdm import tqdm

from skinlesion.runtime.errors import UserError, listing
from skinlesion.runtime.paths import RAW_METADATA

IMAGE = re.compile(r"(ISIC_[0-9]{1,20})\.(?i:jpe?g)")
METADATA = re.compile(r"HAM10000_metadata(\.csv)?", re.IGNORECASE)
PART = re.compile(r"images_part_([12])", re.IGNORECASE)  # in the name of a part folder or a part zip
PART_ZIP = re.compile(r"(?!\.).*images_part_[12].*\.zip", re.IGNORECASE)
MAX_FILE = 20 * 10**6  # bytes: an original image has 0.3 MB, the metadata CSV 0.7 MB
MAX_TOTAL = 10 * 10**9  # bytes: the original images have 2.8 GB
METHODS = {ZIP_STORED, ZIP_DEFLATED}  # for the others zipfile does not limit how much it expands at once
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
            above MAX_FILE, more than MAX_TOTAL, or a link that leads out of the folder.
        OSError: a folder cannot be read, or a file cannot be written.
    """
    with ExitStack() as stack:
        files = select_files(list(list_members(archive, stack)), archive)
        total = 0
        for name, member in tqdm(files.items(), desc="unpacking", unit="file", disable=None):
            content = member.read()
            total += len(content)
            if total > MAX_TOTAL:
                raise UserError(f"{archive} has more than {MAX_TOTAL / 10**9:g} GB of images. {EXPECTED}")
            folder = target if name == RAW_METADATA.name else target / f"HAM10000_images_part_{member.part_number or 1}"
            folder.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)


@dataclass(frozen=True)
class Member:
    """A file of the archive. Its path there is parsed and shown, but never written to."""

    archive: Path
    path: PurePosixPath  # relative to the archive; a part zip is one of its folders
    open: Callable[[], IO[bytes]]
    info: ZipInfo | None = None  # of a file in a zip

    def __str__(self) -> str:
        return f"{printable(self.path)} in {self.archive}"

    @property
    def part_number(self) -> int:
        """1 or 2 from the innermost part folder or part zip, 0 outside of them."""
        numbers = PART.findall(str(self.path.parent))
        return int(numbers[-1]) if numbers else 0

    def read(self) -> bytes:
        """Read the content; raise UserError if it is encrypted, unusually compressed, damaged or too large."""
        if self.info and (self.info.flag_bits & 1 or self.info.compress_type not in METHODS):
            fault = "is encrypted" if self.info.flag_bits & 1 else "has a compression other than stored or deflated"
            raise UserError(f"{self} {fault}. Unpack the zip and set data.archive to the folder")
        try:
            with self.open() as stream:
                content = stream.read(MAX_FILE + 1)  # a zip's own sizes are not trusted; zipfile checks the CRC-32
        except Exception as error:  # for damaged bytes zipfile raises nearly anything
            raise UserError(f"{self} is damaged or unreadable ({type(error).__name__}). Download it again") from error
        if len(content) > MAX_FILE:
            raise UserError(f"{self} has more than {MAX_FILE / 10**6:g} MB. Replace it by the original file")
        return content

    def checksum(self) -> tuple[int, int]:
        """Size in bytes and CRC-32 of the content; a zip states both."""
        if self.info:
            return self.info.file_size, self.info.CRC
        content = self.read()
        return len(content), zlib.crc32(content)


def select_files(members: list[Member], archive: Path) -> dict[str, Member]:
    """Map each new file name to its member: the metadata CSV, then each image once; refuse copies that differ."""
    tables = [member for member in members if METADATA.fullmatch(member.path.name)]
    images = [member for member in members if IMAGE.fullmatch(member.path.name)]
    # Images outside the parts, such as the test set of ISIC 2018, do not belong to HAM10000.
    images = [member for member in images if member.part_number] or images
    for kind, candidates in ((RAW_METADATA.name, tables), ("image named ISIC_<digits>.jpg", images)):
        if not candidates:
            names = listing(sorted(printable(member.path) for member in members)) or "no files"
            raise UserError(f"{archive} has no {kind}. It has: {names}. {EXPECTED}")
    selected: dict[str, Member] = {}
    for member in tables + sorted(images, key=lambda member: (member.part_number, member.path)):
        image = IMAGE.fullmatch(member.path.name)
        first = selected.setdefault(f"{image[1]}.jpg" if image else RAW_METADATA.name, member)
        if first is not member and first.checksum() != member.checksum():
            raise UserError(f"{printable(first.path)} and {member} are not equal copies. Remove the wrong one")
    return selected


def list_members(archive: Path, stack: ExitStack) -> Iterator[Member]:
    """Yield every file of a zip, or of a folder and its part zips; `stack` closes the zips."""
    if archive.is_file():
        yield from list_zip(archive, archive, stack)
    elif archive.is_dir():
        yield from list_folder(archive, stack)
    else:
        fault = "is neither a file nor a folder" if archive.exists() else "does not exist"
        raise UserError(f"data.archive: {archive} {fault}. Correct data.archive, or set data.source: sample")


def list_folder(archive: Path, stack: ExitStack) -> Iterator[Member]:
    """Yield every file below a folder and in its part zips; refuse links that lead out, to any file of this machine."""

    def refuse(error: OSError) -> None:  # without this, os.walk leaves out what cannot be read
        raise error

    root = os.path.realpath(archive)
    for parent, folders, names in os.walk(archive, onerror=refuse):
        for path in (Path(parent, name) for name in folders + names):
            if path.is_symlink() and not (linked := Path(os.path.realpath(path))).is_relative_to(root):
                raise UserError(
                    f"{printable(path)} links to {printable(linked)}, outside of {archive}. Replace the link by a copy"
                )
            if path.is_file() and PART_ZIP.fullmatch(path.name):
                yield from list_zip(path, archive, stack)
            elif path.is_file():  # a broken link and a pipe are not
                yield Member(archive, PurePosixPath(path.relative_to(archive).as_posix()), partial(path.open, "rb"))


def list_zip(path: Path, archive: Path, stack: ExitStack) -> Iterator[Member]:
    """Yield every file of the zip at `path`, which is `archive` or a part zip in it; `stack` closes it."""
    try:
        opened = stack.enter_context(ZipFile(path))
    except Exception as error:  # for damaged bytes zipfile raises nearly anything
        raise UserError(
            f"{printable(path)} is no zip, or is damaged or unreadable ({type(error).__name__}). Download it again, or "
            "set data.archive to an unpacked folder"
        ) from error
    for info in opened.infolist():
        name = info.filename.replace("\\", "/").lstrip("/")  # some Windows tools write backslashes
        if not name.endswith("/"):
            inside = PurePosixPath(path.relative_to(archive).as_posix(), name)
            yield Member(archive, inside, partial(opened.open, info), info)


def printable(path: Path | PurePosixPath) -> str:
    """Return a path of the archive for a message: without control codes, at most 300 characters."""
    return (str(path) if str(path).isprintable() else ascii(str(path)))[:300]
