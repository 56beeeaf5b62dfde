"""HAM10000 from its publisher, Harvard Dataverse: two zips of images and the metadata; no account needed."""

import shutil
from pathlib import Path
from typing import NamedTuple

from skinlesion.download.archive import unpack
from skinlesion.download.transfer import check_room, fetch, missing
from skinlesion.runtime.errors import UserError

SERVER = "https://dataverse.harvard.edu"
PAGE = "https://doi.org/10.7910/DVN/DBW86T"
SCRATCH = ".dataverse-download"
WAYS_OUT = (
    f"Without this download: fetch both part zips and the metadata (original format) from {PAGE} in a browser into one "
    "folder, set data.source: archive and data.archive: its path; or set data.source: sample"
)


class Published(NamedTuple):
    """A file at Dataverse: the name it gets, its id and query, bytes, MD5."""

    name: str
    id: str
    size: int
    md5: str


# The small one first: what refuses it would refuse the large ones. Without format=original it is another table.
FILES = (
    Published("HAM10000_metadata.csv", "4338392?format=original", 690_218, "8f85fb1aa29d80a2797247e434deb79d"),
    Published("HAM10000_images_part_1.zip", "3172585", 1_366_522_108, "4639bfa73ab251610530a97c898e6e46"),
    Published("HAM10000_images_part_2.zip", "3172584", 1_403_566_547, "da43d6cc50f6613013be07e8986b384b"),
)
BYTES = sum(file.size for file in FILES)


def download(target: Path) -> None:
    """Download HAM10000 (2.8 GB) from Harvard Dataverse and unpack it into the empty folder `target`.

    The files go to the folder .dataverse-download beside `target`, on the same disk, and each is checked by size and
    MD5. The folder is removed after success and kept on failure: the next call goes on where this one ended.

    Raises:
        UserError: no room on the disk, Dataverse refuses or is out of reach, or sends other files than published.
    """
    scratch = target.parent / SCRATCH
    # JPEGs hardly shrink in a zip: unpacked they take as much room again.
    check_room(target, sum(missing(scratch / file.name, file.size) for file in FILES) + BYTES)
    for file in FILES:
        try:
            fetch(f"{SERVER}/api/access/datafile/{file.id}", scratch / file.name, file.size, file.md5)
        except UserError as error:
            raise UserError(f"{error}. {WAYS_OUT}") from None
    unpack(scratch, target)
    shutil.rmtree(scratch)
