"""The official test set of ISIC 2018, task 3, from Harvard Dataverse: a zip of 1,511 images and their ground truth."""

from pathlib import Path

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.transfer import check_room, download_file

SERVER = "https://dataverse.harvard.edu"
PAGE = "https://doi.org/10.7910/DVN/DBW86T"
# Name here, id and query there, MD5; the sizes are not on record. Only format=original gives the CSV.
FILES = (
    ("ISIC2018_Task3_Test_GroundTruth.csv", "6924466?format=original", "2b5663aacc9644740f27e355cf7f369a"),
    ("ISIC2018_Task3_Test_Images.zip", "3855824", "0488b6f65849e310857d9207daa55a21"),
)
BYTES = 600_000_000  # at most, an estimate
WAYS_OUT = (
    f"Or download both files (the table in its original format) from {PAGE} in a browser into one folder, and set "
    "external.source: archive and external.archive: its path; or set external.source: none"
)


def download() -> Path:
    """Download both files into a folder that is kept, so that other image sizes need no second download.

    An experiment in DVC's queue has a folder of its own.

    Raises:
        UserError: the disk has too little space, Dataverse refuses or cannot be reached, or it sends other files.
    """
    folder = paths.EXTERNAL_DOWNLOAD
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / name).exists() for name, *_ in FILES):
        check_room(folder, BYTES)
    for name, file_id, md5 in FILES:
        try:
            download_file(f"{SERVER}/api/access/datafile/{file_id}", folder / name, None, md5)
        except UserError as error:
            raise UserError(f"{error}. {WAYS_OUT}") from None
    return folder
