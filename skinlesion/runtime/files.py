"""Outputs appear whole or not at all: they are written under a temporary name beside their path, then renamed.

The temporary name is `.partial-<token>-<name>`. The next writer of the path removes what a killed run left. If two
processes write one path at the same time, the one that began first stops with an error.
"""

import errno
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from skinlesion.runtime.errors import UserError

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # write() raises them without the file's name


@contextmanager
def replace_file(path: Path, is_folder: bool = False) -> Iterator[Path]:
    """Yield an empty file beside `path` to write to; rename it to `path` on success, remove it on an error.

    Raises:
        UserError: `path` is a folder, or another process began to write it.
        OSError: it cannot be written; the error names `path`.
    """
    if path.exists() and path.is_dir() != is_folder:
        there, wanted = ("file", "folder") if is_folder else ("folder", "file")
        raise UserError(f"{path} is a {there}, but a {wanted} is written there. Move it away, then run again")
    partial, old, begun = name_partial(path), name_partial(path), False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partials(path)
        partial.mkdir() if is_folder else partial.touch()
        begun = True
        yield partial
        if is_folder and path.exists():
            path.replace(old)  # a kill after this leaves no output, never half of one
        partial.replace(path)
    except OSError as error:
        if begun and not partial.exists() and isinstance(error, FileNotFoundError):
            raise UserError(f"{path}: another process began to write it. Wait until it ends, then run again") from error
        if error.filename is not None:
            error.filename = str(error.filename).replace(str(partial), str(path))
        elif error.errno in NO_SPACE:
            error.filename = str(path)
        raise
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        remove(partial)
        remove(old)


def replace_folder(path: Path) -> AbstractContextManager[Path]:
    """Yield an empty folder beside `path` to fill, with the same care as `replace_file`."""
    return replace_file(path, is_folder=True)


def write_text(path: Path, text: str) -> None:
    """Write `text`, whole or not at all; the same bytes on every system."""
    with replace_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: dict) -> None:
    """Write `content` as indented JSON, as `write_text` does."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def name_partial(path: Path, mark: str = "") -> Path:
    """Return a new temporary name beside `path`; the next writer of `path` removes what has such a name."""
    return path.with_name(f".partial-{secrets.token_hex(4)}{mark}-{path.name}")


def remove_partials(path: Path) -> None:
    """Remove what killed runs left of `path`."""
    name = re.compile(rf"\.partial-[0-9a-f]{{8}}(\.\w+)?-{re.escape(path.name)}")
    for other in path.parent.glob(".partial-*"):  # fast, as the folder may hold thousands of files
        if name.fullmatch(other.name):
            remove(other)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, as far as possible."""
    with suppress(OSError):  # a folder
        path.unlink()
    shutil.rmtree(path, ignore_errors=True)
