"""The model file as it is checked without Keras, before Keras is loaded: its layout, and our member of it."""

import json
import zipfile
from collections import Counter
from pathlib import Path
from reprlib import repr as short

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration
from skinlesion.runtime.errors import UserError, listing

OURS = "skinlesion.json"  # our member; Keras reads its own by name and leaves it alone
MEMBERS = {"config.json", "metadata.json", "model.weights.h5", OURS}
FITS = ("stretch", "crop")


def read_ours(path: Path) -> tuple[Calibration, str]:
    """Our member of a model file, calibration and fit, once the file is known to be laid out as ours are.

    Raises:
        UserError: it is not, the member is damaged, or it is for other classes.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: train a model first (dvc repro train)")
    try:
        check_layout(path)
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(OURS))
        if tuple(content["classes"]) != CODES:
            raise ValueError(f"its classes are {', '.join(map(str, content['classes']))}, not {', '.join(CODES)}")
        if content["fit"] not in FITS:
            raise ValueError(f"its images are to be fitted by {content['fit']!r}, not by {' or '.join(FITS)}")
        return Calibration.from_json(content["calibration"]), content["fit"]
    except KeyError as error:
        raise foreign(path, f"its {OURS} has no {error.args[0]}") from None
    except Exception as error:  # damaged bytes make zipfile raise nearly anything
        raise foreign(path, first_sentence(error)) from None


def check_layout(path: Path) -> None:
    """Raise ValueError where `path` is no zip of the four members that `save` writes, stored as they are.

    None but these, as Keras would unpack others to the disk. Stored, as what is not compressed is no larger unpacked.
    """
    if path.suffix != ".keras" or not path.is_file() or not zipfile.is_zipfile(path):
        raise ValueError("it is no .keras file, or not a whole one")
    with zipfile.ZipFile(path) as archive:
        members, size = archive.infolist(), path.stat().st_size
    found = Counter(member.filename for member in members)
    if lacking := sorted(MEMBERS - set(found)):
        raise ValueError(f"it lacks {', '.join(lacking)}")
    if more := sorted((found - Counter(MEMBERS)).elements()):
        raise ValueError(f"it also holds {listing([short(name) for name in more])}")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members are compressed, or larger than the file")


def foreign(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is no model of this pipeline: {reason}. Give a .keras file that it trained (dvc repro train makes one)"
    )


def first_sentence(error: Exception) -> str:
    """The first sentence of what an `error` says, on one line; its name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).split(". ")[0].rstrip(".")
