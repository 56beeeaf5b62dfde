"""The checks of a model file that need no Keras: its layout, and our member of it."""

import json
import zipfile
from collections import Counter
from pathlib import Path
from reprlib import repr as short

from skinlesion.core.ham10000 import CODES
from skinlesion.model.calibration import Calibration
from skinlesion.model.likeness import Likeness
from skinlesion.runtime.errors import UserError, listing

OURS = "skinlesion.json"  # our member; Keras ignores it
MEMBERS = {"config.json", "metadata.json", "model.weights.h5", OURS}
FITS = ("stretch", "crop")


def read_metadata(path: Path) -> tuple[Calibration, str, Likeness]:
    """Check the layout of a model file and read our member of it: calibration, fit and likeness.

    Raises:
        UserError: the layout is not ours, the member is damaged, or it is for other classes.
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
            raise ValueError(f"its fit is {content['fit']!r}, not {' or '.join(FITS)}")
        calibration, likeness = Calibration.from_json(content["calibration"]), Likeness.from_json(content["likeness"])
        return calibration, content["fit"], likeness
    except KeyError as error:
        raise not_ours(path, f"its {OURS} has no {error.args[0]}, as that of an earlier version may") from None
    except Exception as error:  # damaged bytes make zipfile raise nearly any type
        raise not_ours(path, first_sentence(error)) from None


def check_layout(path: Path) -> None:
    """Raise ValueError if `path` is not a zip of exactly the four members that `save` writes, uncompressed.

    Keras would unpack other members to the disk. Uncompressed members unpack to no more than the file's size.
    """
    if path.suffix != ".keras" or not path.is_file() or not zipfile.is_zipfile(path):
        raise ValueError("it is no .keras file, or not a whole one")
    with zipfile.ZipFile(path) as archive:
        members, size = archive.infolist(), path.stat().st_size
    names = Counter(member.filename for member in members)
    if missing := sorted(MEMBERS - set(names)):
        raise ValueError(f"it lacks {', '.join(missing)}")
    if unknown := sorted((names - Counter(MEMBERS)).elements()):
        raise ValueError(f"it also holds {listing([short(name) for name in unknown])}")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members are compressed, or larger than the file")


def not_ours(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is no model of this pipeline: {reason}. Give a .keras file that it trained (dvc repro train makes one)"
    )


def first_sentence(error: Exception) -> str:
    """The first sentence of an error's message, on one line; the error's type if it has no message."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).split(". ")[0].rstrip(".")
