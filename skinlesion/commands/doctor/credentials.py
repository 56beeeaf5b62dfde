"""Kaggle's credentials: whether they are there. They are looked for where its package does, and never read."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from skinlesion.commands.doctor.finding import Finding, note, ok, problem
from skinlesion.commands.doctor.raw_data import fetched
from skinlesion.download.kaggle import CREDENTIALS, WAYS_OUT
from skinlesion.runtime.params import Params

ENVIRONMENT = (("KAGGLE_API_TOKEN",), ("KAGGLE_USERNAME", "KAGGLE_KEY"))
FILES = ("~/.kaggle/access_token", "~/.kaggle/access_token.txt", "~/.kaggle/credentials.json")


def credentials(settings: Params) -> Finding:
    """Whether there are any, where, and whether other users may read them. Only Kaggle knows whether they are valid."""
    place = next(places(), None)
    if place and open_to_others(place):
        return note(f"credentials present: {place}, which other users of this machine may read", f"chmod 600 {place}")
    if place:
        return ok(f"credentials present: {place} (not read, not tried)")
    if settings.data.source == "kaggle" and not fetched(settings.data):
        return problem("no credentials, and data.source is kaggle", f"{CREDENTIALS}. {WAYS_OUT}")
    return note("no credentials; only data.source: kaggle needs them", CREDENTIALS)


def places() -> Iterator[str]:
    """Where credentials are: names of variables, or of a file."""
    yield from (" and ".join(names) for names in ENVIRONMENT if all(os.environ.get(name) for name in names))
    for file in (*FILES, *config_files()):
        path = Path(file).expanduser()
        if path.is_file() and path.stat().st_size:
            yield file


def config_files() -> list[str]:
    """The package's own rule for kaggle.json: KAGGLE_CONFIG_DIR, else ~/.kaggle, else the folder of XDG."""
    named = os.environ.get("KAGGLE_CONFIG_DIR")
    folders = [named] if named else ["~/.kaggle", os.environ.get("XDG_CONFIG_HOME", "~/.config") + "/kaggle"]
    return [f"{folder}/kaggle.json" for folder in folders]


def open_to_others(place: str) -> bool:
    path = Path(place).expanduser()
    return os.name != "nt" and path.is_file() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
