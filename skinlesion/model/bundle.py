"""The model file: written so that equal models are equal bytes, read in Keras' safe mode only.

It is a .keras file that any Keras opens, with one member more: how to calibrate the probabilities, and how images of
other shapes become the squares that it was trained on.
"""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from skinlesion.backend import keras, quiet
from skinlesion.calibration import Calibration
from skinlesion.classes import CODES
from skinlesion.errors import UserError
from skinlesion.files import replace_file

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
OURS = "skinlesion.json"  # our member; Keras reads its own by name and leaves it alone


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
        dated = partial.with_name(f"dated-{path.name}")
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
    """Read a model that `save` wrote.

    Raises:
        UserError: the file is missing, no .keras file that can be read safely, or not one of this pipeline.
    """
    import keras_hub  # noqa: F401  registers its layers

    if not path.exists():
        raise UserError(f"{path} is missing: train a model first (dvc repro train)")
    try:
        with quiet():
            model = keras.models.load_model(path, safe_mode=True, compile=False)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no .keras model that can be loaded safely: {reason}") from None
    return Bundle(model, *read_ours(path))


def read_ours(path: Path) -> tuple[Calibration, str]:
    """Our member of a model file: calibration and fit.

    Raises:
        UserError: it is not there, or for other classes.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(OURS))
        if tuple(content["classes"]) == CODES:
            return Calibration.from_json(content["calibration"]), content["fit"]
        reason = f"its classes are {', '.join(map(str, content['classes']))}"
    except (KeyError, ValueError, TypeError) as error:
        reason = str(error)
    raise UserError(f"{path} is a Keras model, but none that this pipeline trained for {', '.join(CODES)}: {reason}")
