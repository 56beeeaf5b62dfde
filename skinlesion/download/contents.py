"""What an archive holds: the files of a folder, of a zip, and of the part zips in a folder."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from zipfile import ZipFile, is_zipfile

from skinlesion.download.entries import FETCH_AGAIN, Entry, FileEntry, ZipEntry, printable
from skinlesion.runtime.errors import UserError

PART = re.compile(r"images_part_([12])", re.IGNORECASE)  # a part folder, or a part zip
LOCAL_HEADER = 30  # bytes before the name of a zip entry


def list_entries(archive: Path, opened: ExitStack) -> Iterator[Entry]:
    """Every file in `archive`, and in the part zips of a folder; `opened` keeps the zips open."""
    if not archive.exists():
        raise UserError(
            f"The archive must be a zip or a folder. Received: {archive}, which does not exist. "
            "Correct data.archive in params.yaml, or set data.source: sample"
        )
    if archive.is_file():
        yield from in_zip(archive, PurePosixPath(), opened)
    elif not archive.is_dir():
        raise UserError(
            f"The archive must be a zip or a folder. Received: {archive}, which is a device or a pipe. "
            "Correct data.archive in params.yaml"
        )
    else:
        for entry in in_folder(archive):
            if entry.inside.suffix.lower() == ".zip" and PART.search(entry.inside.stem):
                yield from in_zip(entry.path, entry.inside, opened)
            else:
                yield entry


def in_folder(folder: Path) -> Iterator[FileEntry]:
    """Every plain file in and below `folder`, through links too; each folder once, so that links in a ring end.

    Raises:
        UserError: a folder cannot be read, or a link leads out of `folder`, to what may be anything on the disk.
    """
    inside = os.path.realpath(folder)

    def refuse(error: OSError) -> None:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}. Make it readable, or remove it") from error

    visited = set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        at = Path(place).stat()
        if (at.st_dev, at.st_ino) in visited:
            folders.clear()
            continue
        visited.add((at.st_dev, at.st_ino))
        folders[:] = sorted(name for name in folders if not is_litter(PurePosixPath(name)))
        files = sorted(name for name in names if not is_litter(PurePosixPath(name)))
        for path in (Path(place, name) for name in [*folders, *files]):
            if path.is_symlink() and not (target := Path(os.path.realpath(path))).is_relative_to(inside):
                raise UserError(
                    f"A link must not leave the archive folder. Received: {printable(path)}, a link to "
                    f"{printable(target)}. Replace it by the file or folder itself, or remove it"
                )
            if path.is_file():  # a link may lead nowhere, and opening a pipe waits for its writer
                yield FileEntry(PurePosixPath(path.relative_to(folder).as_posix()), path)


def in_zip(path: Path, inside: PurePosixPath, opened: ExitStack) -> Iterator[ZipEntry]:
    """Every file in the zip at `path`, which itself lies at `inside` in the archive; `opened` keeps the zip open."""
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK" or is_zipfile(path)
        if is_zip:
            archive = opened.enter_context(ZipFile(path))
    except OSError as error:
        raise UserError(
            f"Cannot read {path}: {error.strerror or error}. Make it readable, or fetch it again"
        ) from error
    except Exception as error:  # damaged bytes make zipfile raise nearly anything
        raise UserError(f"Cannot read {path}: {error}. {FETCH_AGAIN}") from error
    if not is_zip:
        raise UserError(
            f"The archive must be a zip or a folder. Received: {path}, which is neither. "
            "Fetch it again, or unpack it and give the folder as data.archive"
        )
    refuse_overlap(archive)
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")  # some Windows tools write backslashes
        path_in_zip = PurePosixPath(name.lstrip("/"))
        if not name.endswith("/") and not is_litter(path_in_zip):
            yield ZipEntry(inside / path_in_zip, archive, info)


def refuse_overlap(archive: ZipFile) -> None:
    """Raise UserError where two entries share bytes: so a small zip can unpack to any size."""
    ordered = sorted(archive.infolist(), key=lambda info: info.header_offset)
    for one, other in itertools.pairwise(ordered):
        if one.header_offset + LOCAL_HEADER + one.compress_size > other.header_offset:
            raise UserError(
                f"The files of a zip lie one behind the other. Received: {archive.filename}, whose "
                f"{printable(one.filename)} and {printable(other.filename)} overlap. {FETCH_AGAIN}"
            )


def is_litter(inside: PurePosixPath) -> bool:
    """Hidden files, and what macOS adds to its zips."""
    return any(name == "__MACOSX" or (name.startswith(".") and name != "..") for name in inside.parts)
