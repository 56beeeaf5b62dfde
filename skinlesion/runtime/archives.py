"""Read the files of an archive, a zip or a folder, which is untrusted input.

Nothing is written here, and no path of an archive is ever a place to write to.
"""

import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from skinlesion.runtime.errors import UserError

MAX_FILE = 20 * 10**6  # bytes: an original image has 0.3 MB, the metadata CSV 0.7 MB
METHODS = {ZIP_STORED, ZIP_DEFLATED}  # for the others zipfile does not limit how much it expands at once


@dataclass(frozen=True)
class Member:
    """A file of the archive. Its path there is parsed and shown, but never written to."""

    archive: Path
    key: str  # of params.yaml, where the path of the archive stands
    path: PurePosixPath  # relative to the archive; a zip in it is one of its folders
    open: Callable[[], IO[bytes]]
    info: ZipInfo | None = None  # of a file in a zip

    def __str__(self) -> str:
        return f"{printable(self.path)} in {self.archive}"

    def read(self) -> bytes:
        """Read the content; raise UserError if it is encrypted, unusually compressed, damaged or too large."""
        if self.info and (self.info.flag_bits & 1 or self.info.compress_type not in METHODS):
            fault = "is encrypted" if self.info.flag_bits & 1 else "has a compression other than stored or deflated"
            raise UserError(f"{self} {fault}. Unpack the zip and set {self.key} to the folder")
        try:
            with self.open() as stream:
                content = stream.read(MAX_FILE + 1)  # a zip's own sizes are not trusted; zipfile checks the CRC-32
        except PermissionError:
            raise
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


def select_once(named: Iterable[tuple[str, Member]]) -> dict[str, Member]:
    """Map each name to the first member that has it; raise UserError where another one with this name differs."""
    selected: dict[str, Member] = {}
    for name, member in named:
        first = selected.setdefault(name, member)
        if first is not member and first.checksum() != member.checksum():
            raise UserError(f"{printable(first.path)} and {member} are not equal copies. Remove the wrong one")
    return selected


def list_members(archive: Path, key: str, zips: re.Pattern[str], stack: ExitStack) -> Iterator[Member]:
    """Yield every file of a zip, or of a folder and of the zips in it whose names match `zips`; `stack` closes them.

    Raises:
        UserError: `archive` is missing, a zip is damaged, or a link leads out of the folder.
        OSError: a folder cannot be read.
    """
    if archive.is_file():
        yield from list_zip(archive, archive, key, stack)
    elif archive.is_dir():
        yield from list_folder(archive, key, zips, stack)
    else:
        fault = "is neither a file nor a folder" if archive.exists() else "does not exist"
        raise UserError(f"{key}: {archive} {fault}. Correct {key}")


def list_folder(archive: Path, key: str, zips: re.Pattern[str], stack: ExitStack) -> Iterator[Member]:
    """Yield every file below a folder and in its zips; refuse links that lead out, to any file of this machine."""

    def refuse(error: OSError) -> None:  # without this, os.walk leaves out what cannot be read
        raise error

    root = os.path.realpath(archive)
    for parent, folders, names in os.walk(archive, onerror=refuse):
        for path in (Path(parent, name) for name in folders + names):
            if path.is_symlink() and not (linked := Path(os.path.realpath(path))).is_relative_to(root):
                raise UserError(
                    f"{printable(path)} links to {printable(linked)}, outside of {archive}. Replace the link by a copy"
                )
            if path.is_file() and zips.fullmatch(path.name):
                yield from list_zip(path, archive, key, stack)
            elif path.is_file():  # a broken link and a pipe are not
                yield Member(
                    archive, key, PurePosixPath(path.relative_to(archive).as_posix()), partial(path.open, "rb")
                )


def list_zip(path: Path, archive: Path, key: str, stack: ExitStack) -> Iterator[Member]:
    """Yield every file of the zip at `path`, which is `archive` or inside of it; `stack` closes it."""
    try:
        opened = stack.enter_context(ZipFile(path))
    except PermissionError:
        raise
    except Exception as error:  # for damaged bytes zipfile raises nearly anything
        raise UserError(
            f"{printable(path)} is no zip, or is damaged or unreadable ({type(error).__name__}). Download it again, or "
            f"set {key} to an unpacked folder"
        ) from error
    for info in opened.infolist():
        name = info.filename.replace("\\", "/").lstrip("/")  # some Windows tools write backslashes
        if not name.endswith("/"):
            inside = PurePosixPath(path.relative_to(archive).as_posix(), name)
            yield Member(archive, key, inside, partial(opened.open, info), info)


def printable(path: Path | PurePosixPath) -> str:
    """Return a path of the archive for a message: without control codes, at most 300 characters."""
    return (str(path) if str(path).isprintable() else ascii(str(path)))[:300]
