"""Outputs that appear whole or not at all, whenever a run is killed: written beside their place, then moved into it.

What is being written has a name of its own: `.partial-<token>-<name>`. Whoever writes the same output next clears away
what a killed run has left; where that run still lives, the newer one wins, and the older one stops with an error.
"""

import errno
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skinlesion.runtime.errors import UserError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # said by write(), which knows no file's name


@contextmanager
def replace_file(path: Path) -> Iterator[Path]:
    """Yield an empty file beside `path` to write to; on success it takes the place of `path`, on error it goes.

    Raises:
        UserError: a folder is in its place, a file in that of a folder above, or another process writes `path` too.
        OSError: it cannot be written; the error names `path`.
    """
    prepare(path, is_folder=False)
    partial = beside(path, "partial")
    try:
        with explained(path, partial):
            partial.touch()
            yield partial
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replace_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it takes the place of `path`, on error it goes.

    Raises:
        as replace_file does.
    """
    prepare(path, is_folder=True)
    partial, old = beside(path, "partial"), beside(path, "old")
    try:
        with explained(path, partial):
            partial.mkdir()
            yield partial
            if path.exists():
                path.replace(old)
            partial.replace(path)  # a kill just before leaves `old` alone: the next run puts it back
    finally:
        restore(old, path)
        remove(partial, path)


def write_json(path: Path, content: dict) -> None:
    """Write `content` as indented JSON, whole or not at all."""
    with replace_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def prepare(path: Path, is_folder: bool) -> None:
    """Make the folders above `path`, and clear away what other processes have left beside it."""
    for place, expected in [*((above, True) for above in reversed(path.parents)), (path, is_folder)]:
        if place.exists() and place.is_dir() != expected:
            kinds = ("file", "folder") if expected else ("folder", "file")
            raise UserError(f"{place} is a {kinds[0]}, where a {kinds[1]} should be: move it away, then run again")
    path.parent.mkdir(parents=True, exist_ok=True)
    ours = re.compile(rf"\.(partial|old)-[0-9a-f]+(\.\w+)?-{re.escape(path.name)}")
    for place in sorted(path.parent.iterdir()):
        if found := ours.fullmatch(place.name):
            (restore if found[1] == "old" else remove)(place, path)


def beside(path: Path, state: str, mark: str = "") -> Path:
    """A new name for what stands in for `path`; the next writer of `path` knows it as such."""
    return path.with_name(f".{state}-{secrets.token_hex(4)}{mark}-{path.name}")


@contextmanager
def explained(path: Path, partial: Path) -> Iterator[None]:
    """Let an OSError name `path`, not what stands in for it; where that is gone, a newer process took it away."""
    try:
        yield
    except OSError as error:
        if not partial.exists() and isinstance(error, FileNotFoundError):
            raise UserError(f"{path}: another process began to write it too; when that has ended, run again") from None
        if error.filename is not None:
            error.filename = str(error.filename).replace(str(partial), str(path))
        elif error.errno in NO_ROOM:
            error.filename = str(path)
        raise


def restore(old: Path, path: Path) -> None:
    """Put `old` back where `path` is missing; else it is not needed any more."""
    if old.exists() and not path.exists():
        old.replace(path)
    remove(old, path)


def remove(place: Path, path: Path) -> None:
    """Take away what stood in for `path`, if there. A folder is renamed first: half-empty it never becomes `path`."""
    if place.is_symlink() or place.is_file():
        place.unlink(missing_ok=True)
    elif place.exists():
        gone = place.replace(beside(path, "partial", ".gone"))
        shutil.rmtree(gone, ignore_errors=True)
