"""Values of -S KEY=VALUE, with the meaning that they have in `dvc exp run -S`."""

import difflib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skinlesion.runtime import params
from skinlesion.runtime.errors import UserError

REMEDY = """Write it as KEY=VALUE, and a value with special characters as -S "KEY='VALUE'\""""


@contextmanager
def override(documents: Mapping[Path, str], overrides: Sequence[str]) -> Iterator[list[Path]]:
    """Write YAML documents, by the names of their files, to a folder for the while; apply overrides with DVC's parser.

    Yields their files, in the order of `documents`. Raises UserError for an override that DVC does not understand, a
    sweep, or the name of an unknown file or key.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies = {name.as_posix(): Path(folder) / name for name in documents}
        for copy, text in zip(copies.values(), documents.values(), strict=True):
            copy.write_text(text, encoding="utf-8")
        if overrides:
            edit_files(copies, overrides)
        yield list(copies.values())


def edit_files(files: dict[str, Path], overrides: Sequence[str]) -> None:
    from dvc.exceptions import DvcException
    from dvc.utils import hydra
    from dvc.utils.cli_parse import to_path_overrides
    from hydra.errors import HydraException

    try:
        for name, words in to_path_overrides(overrides).items():
            if name not in files:
                raise UserError(f"-S names the file {name}, which has no params. Known: {', '.join(files)}")
            content = params.read(files[name])
            for parsed in hydra.to_hydra_overrides(words):
                if parsed.is_sweep_override():
                    raise UserError(f"-S {parsed.input_line}: sweeps are not supported here. Give one value")
                if not (parsed.is_add() or parsed.is_force_add()):
                    check_key(parsed.key_or_group, content, name)
            hydra.apply_overrides(files[name], words)
    except (DvcException, HydraException) as error:
        reason = str(error.__cause__ or error).splitlines()[0].rstrip(".")
        raise UserError(f"-S cannot be used: {reason}. {REMEDY}") from None


def check_key(key: str, content: Any, name: str) -> None:
    """Raise UserError if the file `name` with this `content` has no such key, with the key that resembles it."""
    section, above = content, ""
    for part in key.split("."):
        if section is None:
            remedy = f"Set it as a whole: -S '{above}=VALUE'. docs/params.md says what fits"
            raise UserError(f"-S {key}: {above} is null in {name}. {remedy}")
        if isinstance(section, dict) and part not in section:
            close = difflib.get_close_matches(key, list_keys(content), n=1)
            remedy = f"Did you mean {close[0]!r}?" if close else "docs/params.md has all keys"
            raise UserError(f"-S {key}: {name} has no such key. {remedy}")
        section = section[part] if isinstance(section, dict) else section
        above = f"{above}.{part}".lstrip(".")


def list_keys(content: dict[str, Any], at: str = "") -> list[str]:
    """List the keys of a document at any depth, as train.max_epochs."""
    below = [
        key for name, value in content.items() if isinstance(value, dict) for key in list_keys(value, f"{at}{name}.")
    ]
    return [f"{at}{name}" for name in content] + below
