"""HAM10000 from its publisher, Harvard Dataverse: two zips of images and the metadata; no account needed."""

import shutil
from pathlib import Path

from skinlesion.download.archive import unpack
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.transfer import check_room, download_file

SERVER = "https://dataverse.harvard.edu"
PAGE = "https://doi.org/10.7910/DVN/DBW86T"
SCRATCH = ".dataverse-download"
WAYS_OUT = (
    f"Or download both part zips and the metadata (original format) from {PAGE} in a browser into one folder, and set "
    "data.source: archive and data.archive: its path; or set data.source: sample"
)

# Name here, id and query there, size in bytes, MD5. The small file first: a server that refuses it would refuse the
# large ones. Only format=original gives the CSV.
FILES = (
    ("HAM10000_metadata.csv", "4338392?format=original", 690_218, "8f85fb1aa29d80a2797247e434deb79d"),
    ("HAM10000_images_part_1.zip", "3172585", 1_366_522_108, "4639bfa73ab251610530a97c898e6e46"),
    ("HAM10000_images_part_2.zip", "3172584", 1_403_566_547, "da43d6cc50f6613013be07e8986b384b"),
)
BYTES = sum(size for _, _, size, _ in FILES)


def download(target: Path) -> None:
    """Download HAM10000 (2.8 GB) from Harvard Dataverse and unpack it into the empty folder `target`.

    The zips go to the folder .dataverse-download beside `target`. It is removed after success and kept after a failure:
    the next call resumes the download.

    Raises:
        UserError: the disk has too little space, Dataverse refuses or cannot be reached, or it sends other files.
    """
    scratch = target.parent / SCRATCH
    check_room(scratch, 2 * BYTES)  # JPEGs hardly shrink in a zip: unpacked they need as much space again
    for name, file_id, size, md5 in FILES:
        try:
            download_file(f"{SERVER}/api/access/datafile/{file_id}", scratch / name, size, md5)
        except UserError as error:
            raise UserError(f"{error}. {WAYS_OUT}") from None
    unpack(scratch, target)
    shutil.rmtree(scratch)
