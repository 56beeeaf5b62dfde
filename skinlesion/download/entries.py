"""The files of an archive, plain or in a zip: weighed and copied without trust in what the archive claims of them."""

import stat
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from skinlesion.runtime.errors import UserError

MOST_MEGABYTES = 20  # of one file: a genuine image has 0.3 MB, the metadata has 0.7 MB
MOST_BYTES = MOST_MEGABYTES * 10**6
CHUNK = 2**20  # bytes in memory at a time
METHODS = {ZIP_STORED, ZIP_DEFLATED}  # of the others, zipfile unpacks all that it was given at once, of any size
UNIX = 3  # the system of a zip entry whose attributes hold a Unix mode
FETCH_AGAIN = "The zip is damaged: fetch it again"
GIVE_FOLDER = "Unpack the zip, look at that file, and give the folder as data.archive"


@dataclass(frozen=True)
class Entry(ABC):
    """A file of an archive; `inside` is its path relative to the archive, and never one to write to."""

    inside: PurePosixPath

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes of the content, as the archive claims."""

    @abstractmethod
    def check(self) -> None:
        """Raise UserError where the content is not to be read."""

    @abstractmethod
    def fingerprint(self) -> tuple[int, int]:
        """Size and CRC-32 of the content."""

    @abstractmethod
    def open(self) -> IO[bytes]: ...

    @abstractmethod
    def __str__(self) -> str: ...

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces.

        Raises:
            UserError: it cannot be read, or is larger than MOST_BYTES, whatever the archive claims.
        """
        taken = 0
        try:
            with self.open() as stream:
                while piece := stream.read(CHUNK):
                    taken += len(piece)
                    if taken > MOST_BYTES:
                        raise ValueError(f"it goes on after {MOST_MEGABYTES} MB")
                    yield piece
        except Exception as error:  # damaged bytes make zipfile raise nearly anything
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"Cannot read {self}: {reason}. {self.remedy}") from error

    def copy(self, destination: Path) -> None:
        """Write the content to `destination`, whole or not at all."""
        try:
            with destination.open("wb") as file:
                file.writelines(self.chunks())
        except BaseException:
            destination.unlink(missing_ok=True)
            raise


@dataclass(frozen=True)
class FileEntry(Entry):
    """A file in a folder."""

    path: Path
    remedy = "Make it readable, or remove it from the archive"

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def check(self) -> None:
        if self.size > MOST_BYTES:
            raise UserError(
                f"A file of HAM10000 has at most {MOST_MEGABYTES} MB. Received: {self}, which has "
                f"{self.size / 10**6:,.0f} MB. Remove or replace it"
            )

    def fingerprint(self) -> tuple[int, int]:
        size = crc = 0
        for piece in self.chunks():
            size, crc = size + len(piece), zlib.crc32(piece, crc)
        return size, crc

    def open(self) -> IO[bytes]:
        return self.path.open("rb")

    def __str__(self) -> str:
        return printable(self.path)


@dataclass(frozen=True)
class ZipEntry(Entry):
    """A file in a zip; `inside` goes through a part zip if there is one."""

    zip: ZipFile
    info: ZipInfo
    remedy = FETCH_AGAIN

    @property
    def size(self) -> int:
        return self.info.file_size

    def check(self) -> None:
        kind = stat.S_IFMT(self.info.external_attr >> 16) if self.info.create_system == UNIX else 0
        for wrong, what, remedy in (
            (self.info.flag_bits & 1, "is encrypted", "Decrypt it, or fetch the archive again"),
            (kind not in (0, stat.S_IFREG), "is a link or a device", "Pack the file itself"),
            (
                self.info.compress_type not in METHODS,
                f"is packed by method {self.info.compress_type}",
                "Unpack the zip and give the folder as data.archive",
            ),
            (self.size > MOST_BYTES, f"has {self.size / 10**6:,.0f} MB", GIVE_FOLDER),
        ):
            if wrong:
                raise UserError(
                    f"HAM10000's zips hold plain files of at most {MOST_MEGABYTES} MB, stored or deflated, with no "
                    f"password. Received: {self.zip.filename}, whose {printable(self.info.filename)} {what}. {remedy}"
                )

    def fingerprint(self) -> tuple[int, int]:
        """As the zip's directory has them; copying compares them with the content."""
        return self.info.file_size, self.info.CRC

    def open(self) -> IO[bytes]:
        return self.zip.open(self.info)  # checks the CRC at the end

    def __str__(self) -> str:
        return f"{printable(self.info.filename)} in {self.zip.filename}"


def printable(name: Path | PurePosixPath | str) -> str:
    """A name of an archive as it is shown: on one line, without codes that terminals obey, not endless."""
    text = str(name)
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 200 else f"{text[:200]}..."
