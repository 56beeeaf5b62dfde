"""What predict and export may write where, checked before their work: never over an input, else only over their own.

Their own files are known by how they start.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from skinlesion.core.ham10000 import CODES
from skinlesion.runtime.errors import UserError, listing

COLUMNS = ["path", "predicted", *CODES]  # of the CSV
SOFTWARE = "skinlesion"  # is named by the pictures as their software, and by ONNX files as their producer
CSV = re.compile(",".join(COLUMNS).encode() + b"\n")
PICTURE = re.compile(rb"\x89PNG.{33}tEXtSoftware\0skinlesion", re.DOTALL)
ONNX = re.compile(rb"\x08.\x12.skinlesion", re.DOTALL)
SCRIPT = re.compile(b'"""Classify pictures with an exported model')
SAVEDMODEL = {"assets", "assets.extra", "fingerprint.pb", "saved_model.pb", "variables"}
SIDECAR = Path("assets.extra/skinlesion.json")  # of a SavedModel


def check_file(path: Path, inputs: Sequence[Path], own: re.Pattern[bytes]) -> None:
    """Raise UserError where `path` is an input, is there and no file of `own` kind, or cannot be written.

    Args:
        inputs: files that exist. A link, a hard link or another spelling of its path is the same file.
    """
    if path.exists():
        refuse_inputs(path, [file for file in inputs if path.samefile(file)])
        if not starts_as(path, own):
            raise foreign(path)
    check_writable(path.parent, path)


def check_pictures(folder: Path, csv: Path | None) -> None:
    """Raise UserError where `folder` holds other files than predict's, hidden ones apart, or cannot be written to.

    Args:
        csv: a file that is written too, and cannot be the folder or one above it.
    """
    if csv and folder.resolve().is_relative_to(csv.resolve()):
        raise UserError(f"{csv} cannot be both a file and a folder. Name another place")
    if folder.is_dir():
        visible = (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))
        if others := [path.name for path in visible if not starts_as(path, PICTURE, CSV)]:
            raise UserError(f"{folder} holds files that predict did not write: {listing(others)}. Name a new folder")
    check_writable(folder, folder)


def check_savedmodel(folder: Path, inputs: Sequence[Path]) -> None:
    """Raise UserError where `folder` holds an input, is there and no SavedModel of export's, or cannot be written."""
    refuse_inputs(folder, [file for file in inputs if file.resolve().is_relative_to(folder.resolve())])
    if folder.exists():
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
        if names and not (names <= SAVEDMODEL and (folder / SIDECAR).is_file()):
            raise foreign(folder)
    check_writable(folder.parent, folder)


def starts_as(path: Path, *kinds: re.Pattern[bytes]) -> bool:
    if not path.is_file():  # a pipe is not to be opened
        return False
    with path.open("rb") as file:
        head = file.read(100)
    return any(kind.match(head) for kind in kinds)


def refuse_inputs(path: Path, inputs: Sequence[Path]) -> None:
    if inputs:
        raise UserError(f"Writing {path} would overwrite the input {inputs[0]}. Name another place")


def foreign(path: Path) -> UserError:
    return UserError(f"{path} exists, and was not written by this command. Name another place, or move it away")


def check_writable(folder: Path, path: Path) -> None:
    """Raise UserError where `path` cannot be written to `folder`, which need not be there yet."""
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
        raise UserError(f"{path} cannot be written: {nearest} is no folder that you may write to. Name another place")
