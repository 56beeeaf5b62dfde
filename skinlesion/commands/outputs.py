"""Checks of output paths before any work: commands replace no input, and only files that they wrote.

Their own files are recognised by their first bytes.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from skinlesion.core.ham10000 import CODES
from skinlesion.runtime.errors import UserError, listing

COLUMNS = ["path", "predicted", "unlike_training", *CODES]  # of the CSV
SOFTWARE = "skinlesion"  # in the Software field of PNGs and as the producer of ONNX files
# Earlier versions wrote no unlike_training.
CSV = re.compile(",".join(COLUMNS).replace("unlike_training,", "(unlike_training,)?").encode() + b"\n")
PICTURE = re.compile(rb"\x89PNG.{33}tEXtSoftware\0skinlesion", re.DOTALL)
ONNX = re.compile(rb"\x08.\x12.skinlesion", re.DOTALL)
SCRIPT = re.compile(b'"""Classify pictures with an exported model')
SAVEDMODEL = {"assets", "assets.extra", "fingerprint.pb", "saved_model.pb", "variables"}
SIDECAR = Path("assets.extra/skinlesion.json")  # in a SavedModel


def check_file(path: Path, inputs: Sequence[Path], kind: re.Pattern[bytes]) -> None:
    """Raise UserError if `path` is an input or a link to one, a file of another `kind`, or not writable."""
    if path.exists():
        same = [str(file) for file in inputs if file.exists() and path.samefile(file)]
        refuse(bool(same), f"{path} would overwrite the input {listing(same)}")
        refuse(not starts_as(path, kind), f"{path} exists and was not written by this command")
    check_writable(path, path.parent)


def check_pictures(folder: Path) -> None:
    """Raise UserError if `folder` has visible files that predict did not write, or is not writable."""
    if folder.is_dir():
        visible = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        foreign = [path.name for path in visible if not starts_as(path, PICTURE, CSV)]
        refuse(bool(foreign), f"--gradcam {folder} contains files that predict did not write: {listing(foreign)}")
    check_writable(folder, folder)


def check_savedmodel(folder: Path, inputs: Sequence[Path]) -> None:
    """Raise UserError if `folder` has an input, exists and is neither empty nor our SavedModel, or is not writable."""
    refuse(not folder.name, f"--out {folder} has no name", "Give a new folder, as ./savedmodel")
    for file in inputs:
        refuse(file.resolve().is_relative_to(folder.resolve()), f"--out {folder} would overwrite the input {file}")
    if folder.exists():
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
        ours = not names or (names <= SAVEDMODEL and (folder / SIDECAR).is_file())
        refuse(not ours, f"--out {folder} exists and is not a SavedModel of export", "Choose a new or empty folder")
    check_writable(folder, folder.parent)


def check_writable(path: Path, folder: Path) -> None:
    """Raise UserError if `path` cannot be created in `folder`, which may not exist yet."""
    nearest = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    writable = nearest.is_dir() and os.access(nearest, os.W_OK)
    refuse(not writable, f"{path} cannot be written: {nearest} is not a folder that you may write to")


def starts_as(path: Path, *kinds: re.Pattern[bytes]) -> bool:
    if not path.is_file():  # opening a pipe would block
        return False
    with path.open("rb") as file:
        head = file.read(100)
    return any(kind.match(head) for kind in kinds)


def refuse(condition: bool, fault: str, remedy: str = "Choose another output path") -> None:
    if condition:
        raise UserError(f"{fault}. {remedy}")
