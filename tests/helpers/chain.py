"""A repository with this project's files, and params with which its chain runs in half a minute."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from skinlesion.commands.preset import presets
from skinlesion.runtime import params
from tests.helpers import one_block

ROOT = Path(__file__).resolve().parents[2]  # of the repository
STAGES = ["download", "merge", "explore", "balance", "split", "train", "external", "evaluate", "explain", "report"]
TWO_BLOCKS = {"stackwise_num_blocks": [2]}
SMALL = {
    "data.source": "archive",
    "data.duplicates": None,
    "images.size": 32,
    "balance.per_class": 6,
    "split.train": 0.5,
    "split.validation": 0.25,
    "split.test": 0.25,
    "train.max_epochs": 1,
    "train.batch_size": 8,
    "evaluate.bootstrap": 100,
    **one_block.PARAMS,
}


def run(folder: Path, *command: str, expect: int = 0) -> str:
    """Run a command in `folder` with this Python first on the path; give back all that it printed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": "", "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == expect, done.stdout
    return done.stdout


def dvc(folder: Path, *words: str, expect: int = 0) -> str:
    return run(folder, sys.executable, "-m", "dvc", *words, expect=expect)


def ran(output: str) -> list[str]:
    """The stages that a dvc command ran, in order."""
    return re.findall(r"Running stage '(\w+)'", output)


def read_sample() -> str:
    """The text of params.yaml with the preset sample: who works on the real data has committed other values."""
    sample = params.read(ROOT / "presets" / "sample.yaml")["params"]
    return presets.fill((ROOT / "params.yaml").read_text(), sample)


def load_sample() -> params.Params:
    return params.check_params(yaml.safe_load(SAMPLE), "params.yaml", ROOT / "networks.yaml")


SAMPLE = read_sample()


def copy_project(folder: Path) -> None:
    """What a clone of this project has without its results, with the preset sample."""
    for name in ("stages", "skinlesion", "presets", ".dvc/plots"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "params.yaml").write_text(SAMPLE)
    files = ("dvc.yaml", "networks.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore")
    for name in files:
        shutil.copy(ROOT / name, folder / name)


def commit(folder: Path, message: str) -> None:
    """All that is in `folder`, in its Git repository, which is made where there is none."""
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "git", "config", "user.email", "test@example.invalid")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-q", "-m", message)
