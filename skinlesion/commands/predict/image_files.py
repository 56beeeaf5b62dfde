"""Image files in a list of files and folders, and a unique name for each."""

from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path

from PIL import Image

from skinlesion.core.images import FORMATS
from skinlesion.runtime.errors import UserError, listing

SUFFIXES = {suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS}


def find_images(given: Sequence[Path], output: Path | None = None) -> list[Path]:
    """List image files, each once, in the order given; those of a folder and its subfolders by name.

    In folders only files with SUFFIXES count, hidden ones do not. `output` is a folder that pictures are written to;
    images in it are no input. Raises UserError if a path is missing or inside `output`, or a folder has no images.
    """
    if missing := [str(path) for path in given if not path.exists()]:
        raise UserError(f"Images or folders not found: {listing(missing)}. Correct the path")
    if inside := [str(path) for path in given if is_inside(path, output)]:
        raise UserError(f"--gradcam {output} contains input images ({listing(inside)}). Choose another output folder")
    files: dict[Path, Path] = {}
    for path in given:
        images = [file for file in search_folder(path) if not is_inside(file, output)] if path.is_dir() else [path]
        if not images:
            suffixes = ", ".join(sorted(SUFFIXES))
            raise UserError(f"{path} contains no images ({suffixes}). Choose another folder, or name the files")
        for file in images:
            files.setdefault(absolute(file), file)
    return list(files.values())


def search_folder(folder: Path) -> list[Path]:
    files = (file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.is_file())
    return [file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def absolute(path: Path) -> Path:
    """The absolute path. A file that is a link is not followed: two links to one file are two images."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def is_inside(path: Path, folder: Path | None) -> bool:
    return folder is not None and absolute(path).is_relative_to(folder.resolve())


def unique_names(files: Sequence[Path]) -> dict[Path, str]:
    """The stem of each file; where taken, with its folder's name in front, else with a number.

    Names that differ only in case count as equal, as they are on some file systems.
    """
    names: dict[Path, str] = {}
    taken = set()
    for file in files:
        stems = [file.stem, f"{file.absolute().parent.name}-{file.stem}"]
        candidates = chain(stems, (f"{file.stem}-{number}" for number in count(2)))
        names[file] = next(name for name in candidates if name.lower() not in taken)
        taken.add(names[file].lower())
    return names
