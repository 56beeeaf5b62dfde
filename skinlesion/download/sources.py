"""Where the raw data come from: one row per `data.source`. Each fills an empty folder in HAM10000's layout."""

from collections.abc import Callable
from pathlib import Path

from skinlesion.download import archive, dataverse, kaggle
from skinlesion.download.sample.make import make_sample
from skinlesion.runtime.params.sections import Data

SOURCES: dict[str, Callable[[Path, Data], None]] = {
    "sample": lambda target, data: make_sample(target, data.sample_seed),
    "archive": lambda target, data: archive.unpack(data.archive.expanduser(), target),
    "kaggle": lambda target, data: kaggle.download(target),
    "dataverse": lambda target, data: dataverse.download(target),
}


def fetch(target: Path, data: Data) -> None:
    """Fill the empty folder `target` with the part folders and HAM10000_metadata.csv of `data.source`.

    Raises:
        UserError: the source cannot be reached or read; nothing falls back to another source.
    """
    SOURCES[data.source](target, data)
