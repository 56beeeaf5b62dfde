"""The data source, as params.yaml names it: whether it can be read, and whether the disk has room for it."""

import os
import shutil
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path

import yaml

from skinlesion.commands.doctor.software import Finding
from skinlesion.commands.dvc import read_dvc
from skinlesion.download import dataverse, kaggle
from skinlesion.runtime import paths
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.sections import Data

# A description, and the bytes of the raw data with their copy in DVC's cache; a downloaded zip stays until unpacked.
SOURCES: dict[str, tuple[str, Callable[[Data], float]]] = {
    "sample": ("drawn by code; for the real data: skinlesion preset apply ham10000", lambda data: 0.02e9),
    "archive": ("the archive is there", lambda data: 2 * measure_bytes(data.archive.expanduser())),
    "kaggle": ("5.2 GiB to download", lambda data: kaggle.ZIP_BYTES + kaggle.UNPACKED_BYTES),
    "dataverse": ("2.8 GB to download, no account needed", lambda data: 2 * dataverse.BYTES),
}
TOKENS = (("KAGGLE_API_TOKEN",), ("KAGGLE_USERNAME", "KAGGLE_KEY"))
TOKEN_FILES = ("access_token", "access_token.txt", "credentials.json", "kaggle.json")
SAMPLE_IMAGES, HAM10000_IMAGES = 523, 10_015
PNG = 0.65  # size of an image's PNG relative to its 3 bytes per pixel
MODELS = 0.5e9  # bytes


def check_data(settings: Params) -> Finding:
    data, place = settings.data, find_credentials()
    if is_made("download", paths.RAW_METADATA, settings):
        return Finding("ok", f"data.source: {data.source}, already in {paths.RAW}")
    if data.source == "archive" and not data.archive.expanduser().exists():
        remedy = "Correct the path in params.yaml, or set data.source: sample"
        return Finding("problem", f"data.archive: {data.archive} is missing", remedy)
    if data.source == "kaggle" and not place:
        remedy = f"{kaggle.CREDENTIALS}. {kaggle.WAYS_OUT}"
        return Finding("problem", "data.source: kaggle, but there are no credentials", remedy)
    credentials = f"; credentials: {place} (not read, not tried)" if data.source == "kaggle" else ""
    return Finding("ok", f"data.source: {data.source}, {SOURCES[data.source][0]}{credentials}")


def check_external(settings: Params) -> Finding:
    """Check whether the archive of the external set is there: its stage runs late, maybe after the training."""
    external = settings.external
    if is_made("external", paths.EXTERNAL, settings):
        return Finding("ok", f"external.source: {external.source}, already in {paths.EXTERNAL}")
    if external.source == "archive" and not external.archive.expanduser().exists():
        remedy = "Correct the path in params.yaml, or set external.source: none"
        return Finding("problem", f"external.archive: {external.archive} is missing", remedy)
    return Finding("ok", f"external.source: {external.source}")


def is_made(stage: str, output: Path, settings: Params) -> bool:
    """Whether a stage's output is there, made with these params according to dvc.lock."""
    try:
        stages = yaml.safe_load(paths.LOCK.read_text(encoding="utf-8"))["stages"]
        made_with, content = stages[stage]["params"][paths.PARAMS.name], settings.model_dump(mode="json")
        return output.exists() and all(reduce(getitem, key.split("."), content) == made_with[key] for key in made_with)
    except (OSError, yaml.YAMLError, KeyError, TypeError):  # no dvc.lock, or one of an older version with other keys
        return False


def find_credentials() -> str:
    """Name the variables or the file that hold Kaggle's credentials, without reading them; empty where none do."""
    for names in TOKENS:
        if all(os.environ.get(name) for name in names):
            return " and ".join(names)
    config = os.environ.get("XDG_CONFIG_HOME", "~/.config")
    folders = (os.environ.get("KAGGLE_CONFIG_DIR", "~/.kaggle"), f"{config}/kaggle")
    files = [Path(folder).expanduser() / name for folder in folders for name in TOKEN_FILES]
    return next((str(file) for file in files if file.is_file() and file.stat().st_size), "")


def check_disk(settings: Params) -> Finding:
    """Compare the free space with what the raw data need, and with that and the results of one run."""
    data, free = settings.data, shutil.disk_usage(".").free
    images = (SAMPLE_IMAGES if data.source == "sample" else HAM10000_IMAGES) + 7 * (settings.balance.per_class or 0)
    run = 2 * images * settings.images.size**2 * 3 * PNG + MODELS  # twice: in the workspace and in DVC's cache
    raw = 0 if is_made("download", paths.RAW_METADATA, settings) else SOURCES[data.source][1](data)
    cache = measure_bytes(Path(read_dvc("cache", "dir").splitlines()[-1]))
    needed = f"{raw / 1e9:.1f} GB for the raw data, {run / 1e9:.1f} GB for a run"
    text = f"{free / 1e9:.1f} GB free; needed: {needed}; DVC's cache has {cache / 1e9:.1f} GB"
    if free >= raw + run:
        return Finding("ok", text)
    remedy = "Free some space, for example by: dvc gc --workspace --all-commits (deletes experiments too)"
    return Finding("note" if free >= raw else "problem", text, remedy)


def measure_bytes(path: Path) -> int:
    """Bytes of a file, or of the files in and below a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
