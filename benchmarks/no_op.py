"""`dvc repro` where nothing has changed, in a clone whose chain has run; and `dvc --version`, which is DVC's own start.

The clone takes its data from this repository's cache; where that lacks them, the chain runs once on reduced params.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import chaos, once

UNIT = "s"
LESS = True
ROUNDS = 1  # each measures itself REPEATS times, as the clone takes longer to make
REPEATS = 3
REDUCED = ["balance.per_class=20", "images.size=32", "train.max_epochs=1", "evaluate.bootstrap=100"]
DVC = [sys.executable, "-m", "dvc"]


def timed(command: list[str], folder: Path) -> float:
    """Seconds, the median of REPEATS after a first run."""
    seconds = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            sys.exit(f"{' '.join(command[1:])} failed: {done.stderr}")
    return median(seconds[1:])


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1"}


def with_data(folder: Path) -> tuple[Path, str]:
    """A clone whose chain has run, and what it ran on."""

    def run(*words: str) -> bool:
        done = subprocess.run([*DVC, *words], cwd=clone, env=environment(), capture_output=True, check=False)
        return done.returncode == 0

    clone = chaos.clone(folder / "committed", [])
    cache = chaos.ROOT / ".dvc" / "cache"
    if cache.is_dir() and run("cache", "dir", "--local", str(cache)) and run("checkout") and is_up_to_date(clone):
        return clone, "as committed"
    clone = chaos.clone(folder / "reduced", REDUCED)
    if not run("repro"):
        sys.exit(f"the chain does not run in a clone with {' '.join(REDUCED)}")
    return clone, "reduced"


def is_up_to_date(clone: Path) -> bool:
    said = subprocess.run([*DVC, "status"], cwd=clone, env=environment(), capture_output=True, text=True, check=False)
    return "up to date" in said.stdout


def nothing_to_do() -> dict:
    with tempfile.TemporaryDirectory() as folder:
        clone, params = with_data(Path(folder))
        return {"value": timed([*DVC, "repro"], clone), "params": params}


VARIANTS: dict[str, Callable[[], once.Measured]] = {
    "ours: dvc repro": nothing_to_do,
    "dvc --version": lambda: timed([*DVC, "--version"], chaos.ROOT),
}

if __name__ == "__main__":
    once.main(VARIANTS)
