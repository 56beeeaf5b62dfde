"""Python, packages, Git and DVC: what every run needs, whatever params.yaml says."""

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from skinlesion.commands.doctor.finding import Finding, note, ok, problem
from skinlesion.commands.dvc import dvc
from skinlesion.runtime.errors import listing

OLDEST = (3, 11)
PINS = Path("requirements.txt")
SETUP = "make setup (or: python -m pip install -r requirements.txt)"
ROOT = "Run from the root of a clone of the repository"
# What the stages import. The other packages of requirements.txt serve commands around them, or come along.
CHAIN = {
    "dvc", "h5py", "joblib", "keras", "keras-hub", "matplotlib", "numpy", "opencv-python-headless", "pandas", "pillow",
    "pydantic", "pyyaml", "scikit-learn", "scipy", "simplejpeg", "tensorflow", "tqdm",
}  # fmt: skip
MUCH = 20e9  # bytes in DVC's cache that are worth a word


def python() -> Finding:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] >= OLDEST:
        return ok(text)
    needed = ".".join(map(str, OLDEST))
    return problem(f"{text}; {needed} or newer is needed", f"Remove .venv, then make setup PYTHON=python{needed}")


def packages() -> Finding:
    """What is installed against the pins that hold for this Python and system."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return problem("the packages are not installed", SETUP)
    if not PINS.exists():
        return problem(f"{PINS} is missing", ROOT)
    text = PINS.read_text(encoding="utf-8").replace("\\\n", "")
    lines = [re.split(r" #| --hash", line)[0].strip() for line in text.splitlines()]
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    pins = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    missing, other = [], []
    for pin in pins:
        try:
            version = metadata.version(pin.name)
        except metadata.PackageNotFoundError:
            missing.append(pin.name)
            continue
        if not pin.specifier.contains(version, prereleases=True):
            other.append(f"{pin.name} {version} (pinned {str(pin.specifier).removeprefix('==')})")
    parts = [f"missing: {listing(missing)}"] * bool(missing) + [f"other versions: {listing(other)}"] * bool(other)
    if CHAIN & set(missing):
        needed = sorted(CHAIN & set(missing))
        return problem("; ".join([f"the stages need {listing(needed)}", *parts]), SETUP)
    if parts:
        return note("; ".join(parts), f"What others measured was measured with the pinned ones: {SETUP}")
    return ok(f"all {len(pins)} as {PINS} pins them")


def git() -> Finding:
    command = ["git", "status", "--porcelain", "--branch"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return problem("git is not installed; DVC needs it", "Install it from your system's packages")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git status failed"])[0]
        return problem(reason, "DVC needs a Git repository: clone it, or: git init, git add -A, git commit")
    branch, *changed = done.stdout.splitlines()
    text = f"on {branch.removeprefix('## ').partition('...')[0]}"
    if "No commits yet" in branch:
        return note(text, "Experiments need a commit: git add -A, git commit")
    if changed:
        return note(f"{text}, {len(changed)} files not committed", "Commit before you queue experiments: DVC's queue "
                    "sees committed files only")  # fmt: skip
    return ok(f"{text}, all committed")


def cache() -> Finding:
    """How much DVC keeps of earlier runs, wherever its config puts that."""
    done = dvc("cache", "dir")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["dvc cache dir failed"])[-1]
        return problem(f"DVC does not start here: {reason}", f"{ROOT}; {SETUP}")
    folder = Path(done.stdout.strip().splitlines()[-1])
    size = in_folder(folder)
    text = f"{size / 1e9:.1f} GB in {os.path.relpath(folder)}"
    if size > MUCH:
        return note(text, "dvc gc --workspace --all-commits deletes what no commit uses, results of experiments too")
    return ok(text)


def in_folder(folder: Path) -> int:
    """Bytes of the files in and below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
