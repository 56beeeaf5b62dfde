"""The model file: equal models are equal bytes, and it is read in Keras' safe mode only.

It is a .keras file that any Keras opens, with one more member: how to calibrate the probabilities, how to make the
square images that the model takes, and what the training images look like.
"""

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras, quiet
from skinlesion.model.calibration import Calibration
from skinlesion.model.likeness import Likeness
from skinlesion.model.model_file import OURS, first_sentence, not_ours, read_metadata
from skinlesion.runtime.files import name_partial, replace_file

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can store


@dataclass(frozen=True)
class Bundle:
    """A classifier, RGB 0-255 (N, S, S, 3) to probabilities (N, 7), and what is needed to use it.

    `calibration` is for its probabilities; `fit` (stretch or crop) makes images square; `likeness` says whether
    an image looks like the training images.
    """

    model: keras.Model
    calibration: Calibration
    fit: str
    likeness: Likeness


def save(bundle: Bundle, path: Path) -> None:
    """Write a model as a .keras file without dates: the same weights give the same bytes."""
    ours = {
        "classes": CODES,
        "calibration": bundle.calibration.to_json(),
        "fit": bundle.fit,
        "likeness": bundle.likeness.to_json(),
    }
    with replace_file(path) as partial:
        dated = name_partial(path, ".dated")
        try:
            bundle.model.save(dated)
            with zipfile.ZipFile(dated) as source, zipfile.ZipFile(partial, "w") as target:
                contents = {name: remove_date(name, source.read(name)) for name in source.namelist()}
                contents[OURS] = json.dumps(ours).encode()
                for name, content in sorted(contents.items()):
                    target.writestr(zipfile.ZipInfo(name, NO_DATE), content)
        finally:
            dated.unlink(missing_ok=True)


def remove_date(name: str, content: bytes) -> bytes:
    """A member of a .keras file without what differs between equal models: its date, and memory addresses."""
    if name == "metadata.json":
        return json.dumps({"keras_version": keras.version()}).encode()
    if name == "config.json":
        # Keras numbers shared objects by their address in memory; count them instead.
        numbers: dict[bytes, bytes] = {}
        return re.sub(
            rb'("shared_object_id": )(\d+)',
            lambda match: match[1] + numbers.setdefault(match[2], str(len(numbers)).encode()),
            content,
        )
    return content


def load(path: Path) -> Bundle:
    """Read a model that `save` wrote. Other files are refused before any of their code or weights are read.

    Raises:
        UserError: the file is missing, is not a .keras file that can be read safely, or is not from this pipeline.
    """
    calibration, fit, likeness = read_metadata(path)
    try:
        with quiet():
            with zipfile.ZipFile(path) as archive:
                uses_keras_hub = b'"module": "keras_hub' in archive.read("config.json")
            if uses_keras_hub:  # its import takes seconds, and TensorFlow
                import keras_hub  # noqa: F401  registers its layers
            model = keras.models.load_model(path, safe_mode=True, compile=False)
    except Exception as error:  # damaged bytes make Keras raise nearly any type
        raise not_ours(path, f"Keras cannot load it safely ({first_sentence(error)})") from None
    image, probabilities = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    side = image[1] if isinstance(image, tuple) and len(image) == 4 else None
    if not side or image != (None, side, side, 3) or probabilities != (None, len(CODES)):
        raise not_ours(
            path, f"its input is {image} and its output {probabilities}, not (N, S, S, 3) and (N, {len(CODES)})"
        )
    return Bundle(model, calibration, fit, likeness)
