"""Where the data come from, as params.yaml says, and room for them on the disk."""

import shutil
from collections.abc import Callable
from importlib import util
from pathlib import Path

import yaml

from skinlesion.commands.doctor.finding import Finding, note, ok, problem
from skinlesion.commands.doctor.software import SETUP, in_folder
from skinlesion.download import dataverse, kaggle
from skinlesion.runtime import paths
from skinlesion.runtime.params import Params
from skinlesion.runtime.params.sections import Data

LOCK = Path("dvc.lock")


def fetched(data: Data) -> bool:
    """Whether data/raw is there from the source that params.yaml names, as dvc.lock tells."""
    try:
        stage = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"]["download"]
        values = stage["params"][paths.PARAMS.name]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return False
    archive = None if data.archive is None else str(data.archive)
    same = values.get("data.source") == data.source and values.get("data.archive") == archive
    return same and paths.RAW_METADATA.exists()


def source(settings: Params) -> Finding:
    data = settings.data
    if fetched(data):
        return ok(f"data.source: {data.source}, in {paths.RAW} already")
    return SOURCES[data.source](data)


def sample(_: Data) -> Finding:
    return ok("data.source: sample, drawn by code (skinlesion preset apply ham10000 sets the real data)")


def archive(data: Data) -> Finding:
    path = data.archive.expanduser()
    if path.exists():
        return ok(f"data.source: archive, {data.archive} is there")
    return problem(f"data.archive: {data.archive} is missing", "Correct it in params.yaml, or set data.source: sample")


def from_kaggle(_: Data) -> Finding:
    if util.find_spec("kaggle") is None:
        return problem("data.source: kaggle needs the package kaggle, which is missing", SETUP)
    return ok("data.source: kaggle, 5.2 GiB to download")


def from_dataverse(_: Data) -> Finding:
    return ok("data.source: dataverse, 2.8 GB to download, no account needed")


SOURCES: dict[str, Callable[[Data], Finding]] = {
    "sample": sample,
    "archive": archive,
    "kaggle": from_kaggle,
    "dataverse": from_dataverse,
}


# Bytes for the raw data: what is brought, and the copy in DVC's cache. Fetched zips stay until they are unpacked.
DOWNLOADS: dict[str, Callable[[Data], float]] = {
    "sample": lambda data: 0.02e9,
    "archive": lambda data: 2 * size_of(data.archive.expanduser()),
    "kaggle": lambda data: kaggle.ZIP_BYTES + kaggle.UNPACKED_BYTES,
    "dataverse": lambda data: 2 * dataverse.BYTES,
}
IMAGES = {"sample": 523, "archive": 10_015, "kaggle": 10_015, "dataverse": 10_015}
PNG = 0.65  # part of a square's bytes that its PNG takes
MODELS = 0.5e9


def size_of(path: Path) -> int:
    return in_folder(path) if path.is_dir() else path.stat().st_size if path.exists() else 0


def disk(settings: Params) -> Finding:
    """Free space against what the raw data need, and against that and the results of one run."""
    free = shutil.disk_usage(".").free
    squares = IMAGES[settings.data.source] + 7 * (settings.balance.per_class or 0)
    run = 2 * squares * settings.images.size**2 * 3 * PNG + MODELS  # two: in the workspace and in the cache
    download = 0.0 if fetched(settings.data) else DOWNLOADS[settings.data.source](settings.data)
    text = (
        f"{free / 1e9:.1f} GB free; needed are about {download / 1e9:.1f} for the raw data, {run / 1e9:.1f} for a run"
    )
    remedy = "Free some space, or: dvc cache dir PATH moves DVC's cache to another disk"
    if free < download:
        return problem(text, remedy)
    return note(text, remedy) if free < download + run else ok(text)
