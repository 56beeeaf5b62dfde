"""HAM10000 as people have it on disk, brought into its own layout: two part folders, metadata.

Known inputs: the zip of Kaggle (it holds the images twice), the same unpacked, both under other top
folders, and a folder with the files of Harvard Dataverse (two zips of images, and the metadata).
"""

import os
import re
import shutil
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, ZipInfo, is_zipfile

from tqdm import tqdm

from skinlesion.errors import UserError, listing
from skinlesion.paths import RAW_METADATA

PART = re.compile(r"images_part_([12])", re.IGNORECASE)
IMAGE_ID = re.compile(r"[A-Za-z0-9_-]+")
IMAGE_SUFFIXES = {".jpg", ".jpeg"}
METADATA_NAMES = {"ham10000_metadata.csv", "ham10000_metadata"}
FETCH_AGAIN = "The zip is damaged: fetch it again"


def unpack(archive: Path, target: Path) -> None:
    """Bring a zip or folder with HAM10000 into HAM10000's own layout in the empty folder `target`.

    Writes HAM10000_metadata.csv and HAM10000_images_part_<1|2>/<image_id>.jpg, byte for byte, and
    nothing else. An image found several times is taken once. Where some images lie in part folders
    or part zips, only such images are taken; where none does, all go to part 1.

    Raises:
        UserError: `archive` is missing, no zip or folder, damaged or encrypted; it has no images,
            no metadata file or different ones; an image id is odd, or has different contents.
    """
    with ExitStack() as opened:
        entries = list(list_entries(archive, opened))
        metadata = choose_metadata(entries, archive)
        images = choose_images(entries, archive)
        metadata.copy(target / RAW_METADATA.name)
        for image_id, entry in tqdm(images.items(), desc="unpacking", unit="image", disable=None):
            folder = target / f"HAM10000_images_part_{part_of(entry) or 1}"
            folder.mkdir(exist_ok=True)
            entry.copy(folder / f"{image_id}.jpg")


@dataclass(frozen=True)
class FileEntry:
    """A file in a folder; `inside` is its path relative to the archive."""

    inside: PurePosixPath
    path: Path

    def fingerprint(self) -> tuple[int, int]:
        """Size and CRC-32 of the content."""
        content = self.path.read_bytes()
        return len(content), zlib.crc32(content)

    def copy(self, destination: Path) -> None:
        shutil.copyfile(self.path, destination)


@dataclass(frozen=True)
class ZipEntry:
    """A file in a zip; `inside` is its path relative to the archive, through a part zip if any."""

    inside: PurePosixPath
    zip: ZipFile
    info: ZipInfo

    def fingerprint(self) -> tuple[int, int]:
        """Size and CRC-32 of the content, as the zip's directory has them."""
        return self.info.file_size, self.info.CRC

    def copy(self, destination: Path) -> None:
        if self.info.flag_bits & 1:
            raise UserError(
                f"HAM10000's zips have no password. Received: {self.zip.filename}, "
                f"whose {self.info.filename} is encrypted. Decrypt it, or fetch the archive again"
            )
        try:
            content = self.zip.read(self.info)  # checks the CRC
        except Exception as error:  # damaged bytes make zipfile raise nearly anything
            raise UserError(
                f"Cannot read {self.info.filename} in {self.zip.filename}: {error}. {FETCH_AGAIN}"
            ) from error
        destination.write_bytes(content)


Entry = FileEntry | ZipEntry


def list_entries(archive: Path, opened: ExitStack) -> Iterator[Entry]:
    """Every file in `archive`, and in the part zips of a folder; `opened` keeps the zips open."""
    if not archive.exists():
        raise UserError(
            f"The archive must be a zip or a folder. Received: {archive}, which does not exist. "
            "Correct data.archive in params.yaml, or set data.source: sample"
        )
    if not archive.is_dir():
        yield from zip_entries(archive, PurePosixPath(), opened)
        return
    for folder, _, names in os.walk(archive, followlinks=True):
        for path in (Path(folder, name) for name in names):
            inside = PurePosixPath(path.relative_to(archive).as_posix())
            if is_litter(inside) or not path.is_file():  # a link may lead nowhere
                continue
            if path.suffix.lower() == ".zip" and PART.search(path.stem):
                yield from zip_entries(path, inside, opened)
            else:
                yield FileEntry(inside, path)


def zip_entries(path: Path, inside: PurePosixPath, opened: ExitStack) -> Iterator[ZipEntry]:
    """Every file in the zip at `path`, which itself lies at `inside` in the archive."""
    with path.open("rb") as file:
        if file.read(2) != b"PK" and not is_zipfile(path):
            raise UserError(
                f"The archive must be a zip or a folder. Received: {path}, which is neither. "
                "Fetch it again, or unpack it and give the folder as data.archive"
            )
    try:
        archive = opened.enter_context(ZipFile(path))
    except Exception as error:
        raise UserError(f"Cannot read {path}: {error}. {FETCH_AGAIN}") from error
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")  # some Windows tools write backslashes
        path_in_zip = PurePosixPath(name.lstrip("/"))
        if not name.endswith("/") and not is_litter(path_in_zip):
            yield ZipEntry(inside / path_in_zip, archive, info)


def choose_metadata(entries: list[Entry], archive: Path) -> Entry:
    """The one metadata file among `entries`; copies with the same bytes count once."""
    found = [entry for entry in entries if entry.inside.name.lower() in METADATA_NAMES]
    if not found:
        others = sorted(str(entry.inside) for entry in entries if not is_image(entry))
        raise UserError(
            f"The archive must hold {RAW_METADATA.name}. Received: {archive}, with "
            f"{listing(others) or 'images only'}. Put it beside the images, give their folder as "
            "data.archive (of Dataverse: both part zips, and the metadata with ?format=original)"
        )
    for entry in found[1:]:
        check_same("The archive must hold one metadata file", found[0], entry, archive)
    return found[0]


def choose_images(entries: list[Entry], archive: Path) -> dict[str, Entry]:
    """Image id -> the entry to take, by part and id."""
    found = [entry for entry in entries if is_image(entry)]
    # What lies beside the parts, such as the test images of ISIC 2018, is not HAM10000.
    found = [entry for entry in found if part_of(entry)] or found
    if not found:
        names = sorted(str(entry.inside) for entry in entries)
        raise UserError(
            f"The archive must hold images (.jpg). Received: {archive}, with {listing(names)}. "
            "Where zips inside it hold them, unpack it and give the folder as data.archive"
        )
    odd = [str(entry.inside) for entry in found if not IMAGE_ID.fullmatch(entry.inside.stem)]
    if odd:
        raise UserError(
            "An image is named by its id: letters, digits, _ and -. "
            f"Received: {listing(odd)} in {archive}. Rename or remove them"
        )
    chosen: dict[str, Entry] = {}
    for entry in sorted(found, key=lambda entry: (part_of(entry), str(entry.inside))):
        first = chosen.setdefault(entry.inside.stem, entry)
        if first is not entry:
            check_same("Copies of one image must be equal", first, entry, archive)
    return chosen


def check_same(rule: str, first: Entry, second: Entry, archive: Path) -> None:
    """Raise UserError with the `rule` where two entries differ in content."""
    if first.fingerprint() != second.fingerprint():
        raise UserError(
            f"{rule}. Received: {first.inside} and {second.inside} in {archive}, which differ. Remove the wrong one"
        )


def part_of(entry: Entry) -> int:
    """1 or 2 by the innermost part folder or part zip around the entry; 0 where there is none."""
    numbers = PART.findall(str(entry.inside.parent))
    return int(numbers[-1]) if numbers else 0


def is_image(entry: Entry) -> bool:
    return entry.inside.suffix.lower() in IMAGE_SUFFIXES


def is_litter(inside: PurePosixPath) -> bool:
    """Hidden files, and what macOS adds to its zips."""
    return any(name == "__MACOSX" or (name.startswith(".") and name != "..") for name in inside.parts)
