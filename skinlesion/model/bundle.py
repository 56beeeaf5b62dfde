"""The model file: written so that equal models are equal bytes, read in Keras' safe mode only."""

import json
import re
import zipfile
from pathlib import Path

from skinlesion.backend import keras, quiet
from skinlesion.errors import UserError
from skinlesion.files import replace_file

NO_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold


def save(model: keras.Model, path: Path) -> None:
    """Write `model` as a .keras file without dates: the same weights give the same bytes."""
    with replace_file(path) as partial:
        dated = partial.with_name(f"dated-{path.name}")
        try:
            model.save(dated)
            with zipfile.ZipFile(dated) as source, zipfile.ZipFile(partial, "w") as target:
                for name in sorted(source.namelist()):
                    target.writestr(zipfile.ZipInfo(name, NO_DATE), timeless(name, source.read(name)))
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


def load(path: Path) -> keras.Model:
    """Read a model that `save` wrote.

    Raises:
        UserError: the file is missing, or no .keras file that can be read safely.
    """
    import keras_hub  # noqa: F401  registers its layers

    if not path.exists():
        raise UserError(f"{path} is missing: train a model first (dvc repro train)")
    try:
        with quiet():
            return keras.models.load_model(path, safe_mode=True, compile=False)
    except (ValueError, OSError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is no .keras model that can be loaded safely: {reason}") from None
