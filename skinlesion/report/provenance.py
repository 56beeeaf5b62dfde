"""Provenance of a result: the code's commit and package versions, the same on every machine that reproduces it."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import yaml

PACKAGES = ("dvc", "keras", "keras-hub", "numpy", "pandas", "scikit-learn", "matplotlib", "pillow")
GIT = ("git", "-c", "log.showSignature=false")


def find_commit(folder: Path, at: str = "HEAD") -> str:
    """Find the last commit up to `at` that changed the code of a stage; at HEAD, say if there are uncommitted changes.

    Not HEAD: every commit of results, params or docs would change it, and with it the bytes of the report.
    """
    if git(folder, "rev-parse", "--is-inside-work-tree") != "true":
        return "not under Git"
    if git(folder, "rev-parse", "--is-shallow-repository") == "true":
        return "unknown: this shallow clone has no history"
    last = git(folder, "log", "-1", "--format=%h", "--abbrev=10", at, "--", *list_code(folder))
    if not last:
        return "not committed yet"
    changed = at == "HEAD" and git(folder, "status", "--porcelain", "--untracked-files=all", "--", *list_code(folder))
    return f"{last} and uncommitted changes" if changed else last


def list_code(folder: Path) -> list[str]:
    """List dvc.yaml and the code of this repository that it names as deps of a stage."""
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    deps = {dep for stage in stages for dep in stage.get("deps", [])}
    return ["dvc.yaml", *sorted(dep for dep in deps if dep.startswith(("stages/", "skinlesion/")))]


def git(folder: Path, *words: str) -> str | None:
    """Run a Git command and return its output; None if it failed or Git is not installed."""
    try:
        done = subprocess.run([*GIT, *words], cwd=folder, capture_output=True, encoding="utf-8", check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def read_versions() -> dict[str, str]:
    """Read the versions of Python (its patch level is not pinned), Keras' backend, and packages that affect results."""
    python = ".".join(platform.python_version_tuple()[:2])
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    return {"python": python} | {name: read_version(name) for name in (backend, *PACKAGES)}


def read_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
