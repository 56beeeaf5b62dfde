"""The model file: written so that equal models are equal bytes, read in Keras' safe mode only.

It is a .keras file that any Keras opens, with one member more: how to calibrate the probabilities, and how images of
other shapes become the squares that it was trained on.
"""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras, quiet
from skinlesion.model.calibration import Calibration
from skinlesion.model.model_file import OURS, first_sentence, foreign, read_ours
from skinlesion.runtime.files import beside, replace_file

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


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


def is_square(shape: object) -> bool:
    """Whether it is the shape of a batch of square RGB images, (None, S, S, 3)."""
    return isinstance(shape, tuple) and len(shape) == 4 and shape == (None, shape[1], shape[1], 3) and bool(shape[1])
