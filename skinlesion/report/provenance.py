"""How a result was made: the commit of the code and the versions of packages, the same wherever it is made again."""

import os
import platform
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml

PACKAGES = ("dvc", "keras", "keras-hub", "numpy", "pandas", "scikit-learn", "matplotlib", "pillow")
GIT = ("git", "-c", "log.showSignature=false")


@dataclass(frozen=True)
class Provenance:
    """`commit` in words; `versions`: package -> version."""

    commit: str
    versions: dict[str, str]


def of(folder: Path) -> Provenance:
    """The provenance of a result that is made in `folder`, the repository's root."""
    return Provenance(commit(folder), versions())


def commit(folder: Path) -> str:
    """The last commit that touched the code of a stage, and whether it was changed since.

    Not HEAD: a commit of results, params or docs would change it, and with it the bytes of the report.
    """
    if git(folder, "rev-parse", "--is-inside-work-tree") != "true":
        return "not under Git"
    if git(folder, "rev-parse", "--is-shallow-repository") == "true":
        return "unknown: a shallow clone holds no history"
    last = git(folder, "log", "-1", "--format=%h", "--abbrev=10", "--", *code(folder))
    if not last:
        return "not committed yet"
    changed = git(folder, "status", "--porcelain", "--untracked-files=all", "--", *code(folder))
    return f"{last} and uncommitted changes" if changed else last


def code(folder: Path) -> list[str]:
    """dvc.yaml and the files of this repository's code that it names as deps of a stage."""
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    deps = {dep for stage in stages for dep in stage.get("deps", [])}
    return ["dvc.yaml", *sorted(dep for dep in deps if dep.startswith(("stages/", "skinlesion/")))]


def git(folder: Path, *words: str) -> str | None:
    """What a Git command printed; None where it failed, or where there is no Git."""
    try:
        done = subprocess.run([*GIT, *words], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Python, without its patch level, which the pins leave open; the packages that shape a result; Keras' backend."""
    python = ".".join(platform.python_version_tuple()[:2])
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return {"python": python} | {name: version(name) for name in (backend, *PACKAGES)}


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
