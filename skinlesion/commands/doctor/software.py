"""Python, packages and Git: what every run needs, whatever params.yaml says."""

import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from skinlesion.report.provenance import git
from skinlesion.runtime.errors import listing

PINS = Path("requirements.txt")
SETUP = "make setup (or: python -m pip install -r requirements.txt)"


class Finding(NamedTuple):
    """`problem`: the pipeline as configured cannot run; `note`: it runs, but the remedy improves something."""

    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""


def check_packages() -> Finding:
    """Compare the installed packages with the pins for this Python and system."""
    from packaging.requirements import Requirement

    if not PINS.exists():
        return Finding("problem", f"{PINS} is missing", "Run from the root of a clone of the repository")
    lines = PINS.read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    pins = [Requirement(re.split(r" #| --hash", line)[0]) for line in lines if re.match(r"\w", line)]
    missing, different = [], []
    for pin in pins:
        if pin.marker is None or pin.marker.evaluate():
            try:
                version = metadata.version(pin.name)
            except metadata.PackageNotFoundError:
                missing.append(pin.name)
            else:
                if not pin.specifier.contains(version, prereleases=True):
                    different.append(f"{pin.name} {version} (pinned: {pin.specifier})")
    text = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if missing:
        return Finding("problem", f"{text}; missing packages: {listing(missing)}", SETUP)
    if different:
        remedy = f"Results may differ from those of the pinned versions. To install these: {SETUP}"
        return Finding("note", f"{text}; other versions: {listing(different)}", remedy)
    return Finding("ok", f"{text}; all packages as pinned in {PINS}")


def check_git() -> Finding:
    """Check that the folder is a Git repository, and whether its changes are committed."""
    status = git(Path(), "status", "--porcelain", "--branch")
    if status is None:
        return Finding("problem", "git status fails here; DVC needs Git", "Install git, and run in a clone")
    branch, *changed = status.splitlines()
    text = f"branch {branch.removeprefix('## ').partition('...')[0]}, {len(changed)} files not committed"
    return Finding("note", text, "Commit before you queue experiments") if changed else Finding("ok", text)
