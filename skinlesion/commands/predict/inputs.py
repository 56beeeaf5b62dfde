"""Which files a list of pictures and folders holds, and what is written for each of them."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from skinlesion.runtime.errors import UserError, listing

SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}  # what counts as a picture inside of a folder


def find(given: Sequence[Path], outside: Path | None = None) -> list[Path]:
    """The files of pictures and folders, each once, in the order given; those of a folder, and below it, by name.

    Args:
        given: a file counts whatever its name; in folders, those of SUFFIXES do, hidden ones left out.
        outside: a folder that pictures are written to. What lies in it is no input.

    Raises:
        UserError: paths are missing, a folder holds no pictures, or a path lies in `outside`.
    """
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        raise UserError(f"images and folders must exist. Missing: {listing(missing)}. Correct the path")
    written = [str(path) for path in given if lies_in(path, outside)]
    if written:
        raise UserError(
            f"pictures are written to a folder without the images that they are made of. Received: {outside}, which "
            f"holds {listing(written)}. Name another folder"
        )
    found: dict[Path, Path] = {}
    for path in given:
        for file in in_folder(path, outside) if path.is_dir() else [path]:
            found.setdefault(place(file), file)
    return list(found.values())


def in_folder(folder: Path, outside: Path | None) -> list[Path]:
    """The pictures in and below a folder."""
    found = [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in SUFFIXES and file.is_file() and not lies_in(file, outside)
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]
    if not found:
        raise UserError(
            f"a folder must hold pictures ({', '.join(sorted(SUFFIXES))}), in it or below it. "
            f"Received: {folder}, which holds none. Name another folder, or the files themselves"
        )
    return found


def place(path: Path) -> Path:
    """Where a file or folder lies. A file that is a link is not followed: several may lead to equal bytes."""
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def lies_in(path: Path, folder: Path | None) -> bool:
    return folder is not None and place(path).is_relative_to(folder.resolve())


def names(files: Sequence[Path]) -> list[str]:
    """A name of its own for what is written for each file: its stem, where taken with its folder's name before it.

    No two differ in case alone, as some file systems do not tell these apart.
    """
    taken: dict[str, str] = {}  # lower case -> as it is, in the order of the files
    for file in files:
        name = next(name for name in candidates(file) if name.lower() not in taken)
        taken[name.lower()] = name
    return list(taken.values())


def candidates(file: Path) -> Iterator[str]:
    yield file.stem
    yield f"{file.absolute().parent.name}-{file.stem}"
    yield from (f"{file.stem}-{number}" for number in itertools.count(2))
