"""The model file: written so that equal models are equal bytes, read in Keras' safe mode only.

It is a .keras file that any Keras opens, with one member more: how to calibrate the probabilities, and how images of
other shapes become the squares that it was trained on.
"""

import json
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from reprlib import repr as short

from skinlesion.backend import keras, quiet
from skinlesion.calibration import Calibration
from skinlesion.classes import CODES
from skinlesion.errors import UserError, listing
from skinlesion.files import beside, replace_file

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
OURS = "skinlesion.json"  # our member; Keras reads its own by name and leaves it alone
MEMBERS = {"config.json", "metadata.json", "model.weights.h5", OURS}
FITS = ("stretch", "crop")


@dataclass(frozen=True)
class Bundle:
    """A classifier, RGB 0-255 (N, S, S, 3) to probabilities (N, 7), and what its use needs to know.

    `calibration` turns what it says into honest probabilities; `fit` (stretch or crop) makes squares of images.
    """

    model: keras.Model
    calibration: Calibration
    fit: str


def save(model: keras.Model, calibration: Calibration, fit: str, path: Path) -> None:
    """Write `model` as a .keras file without dates: the same weights give the same bytes."""
    with replace_file(path) as partial:
        dated = beside(path, "partial", ".dated")
        try:
            model.save(dated)
            with zipfile.ZipFile(dated) as source, zipfile.ZipFile(partial, "w") as target:
                contents = {name: timeless(name, source.read(name)) for name in source.namelist()}
                contents[OURS] = json.dumps(
                    {"classes": CODES, "calibration": calibration.to_json(), "fit": fit}
                ).encode()
                for name, content in sorted(contents.items()):
                    target.writestr(zipfile.ZipInfo(name, NO_DATE), content)
        finally:
            dated.unlink(missing_ok=True)


def timeless(name: str, content: bytes) -> bytes:
    """A member of a .keras file without what differs between equal models: its date, and addresses in memory."""
    if name == "metadata.json":
        return json.dumps({"keras_version": keras.version()}).encode()
    if name == "config.json":
        # Keras numbers shared objects by their place in memory; count them instead.
        numbers: dict[bytes, bytes] = {}
        return re.sub(
            rb'("shared_object_id": )(\d+)',
            lambda match: match[1] + numbers.setdefault(match[2], str(len(numbers)).encode()),
            content,
        )
    return content


def load(path: Path) -> Bundle:
    """Read a model that `save` wrote. A file of others is refused before any of its code or numbers are looked at.

    Raises:
        UserError: the file is missing, no .keras file that can be read safely, or not one of this pipeline.
    """
    calibration, fit = read_ours(path)
    try:
        with quiet():
            if of_keras_hub(path):
                import keras_hub  # noqa: F401  registers its layers
            model = keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # damaged bytes make Keras raise nearly anything
        raise foreign(path, f"Keras cannot load it safely ({first_sentence(error)})") from None
    image, probabilities = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if not (is_square(image) and probabilities == (None, len(CODES))):
        raise foreign(
            path, f"its input is {image} and its output {probabilities}, not (N, S, S, 3) and (N, {len(CODES)})"
        )
    return Bundle(model, calibration, fit)


def of_keras_hub(path: Path) -> bool:
    """Whether the model has layers of keras-hub, which takes seconds to import, and TensorFlow."""
    with zipfile.ZipFile(path) as archive:
        return b'"module": "keras_hub' in archive.read("config.json")


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


def is_square(shape: object) -> bool:
    """Whether it is the shape of a batch of square RGB images, (None, S, S, 3)."""
    return isinstance(shape, tuple) and len(shape) == 4 and shape == (None, shape[1], shape[1], 3) and bool(shape[1])


def foreign(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} is no model of this pipeline: {reason}. Give a .keras file that it trained (dvc repro train makes one)"
    )


def first_sentence(error: Exception) -> str:
    """The first sentence of what an `error` says, on one line; its name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).split(". ")[0].rstrip(".")
