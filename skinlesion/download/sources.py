"""The sources of the raw data, one row per value of `data.source`.

Each fills an empty folder in HAM10000's layout, or raises UserError: no other source replaces it.
"""

from collections.abc import Callable
from pathlib import Path

from skinlesion.download import archive, dataverse, kaggle
from skinlesion.download.sample import make_sample
from skinlesion.runtime.params.sections import Data

SOURCES: dict[str, Callable[[Path, Data], None]] = {
    "sample": lambda target, data: make_sample(target, data.sample_seed),
    "archive": lambda target, data: archive.unpack(data.archive.expanduser(), target),
    "kaggle": lambda target, data: kaggle.download(target),
    "dataverse": lambda target, data: dataverse.download(target),
}
