"""A stage that is killed or interrupted leaves nothing half-written, and no trace once it has run again.

A kill comes at an event of Python's audit hooks: before a file is opened for writing, a folder made, or something is
moved or removed. Each run is a fork of a server that has imported the stages.
"""

import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.chain import ROOT

OUTPUTS = {
    "download": ["data/raw"],
    "merge": ["data/merged", "data/near_pairs.csv", "metrics/data.json"],
    "explore": ["plots/explore"],
    "balance": ["data/balanced", "plots/balance"],
    "split": ["data/splits.csv", "data/near_duplicates.csv", "metrics/split.json"],
}
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
OTHERS = 3  # moments of each stage beside the moves, spread over its time

pytestmark = [pytest.mark.chain, pytest.mark.skipif(os.name != "posix", reason="forks and kills")]


def run_stage(name: str, folder: Path, kill_at: int | None = None, events: Any = None) -> None:
    """Run a stage here; kill it before its n-th change of a file in `folder`, or send the changes to a pipe."""
    os.chdir(folder)
    seen: list[str] = []

    def hook(event: str, args: tuple) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if (event in CHANGES or writes) and isinstance(args[0], (str, Path)):
            path = Path(args[0]).absolute()
            if path.is_relative_to(folder):
                seen.append("inside" if any(part.startswith(".partial") for part in path.parent.parts) else event)
                if len(seen) == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    importlib.import_module(f"stages.{name}").main()
    if events:
        events.send(seen)


@pytest.fixture(scope="module")
def start() -> Callable[..., int]:
    """`start(stage, folder, kill_at, events)`: `run_stage` in a process of its own; return its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"stages.{name}" for name in OUTPUTS])

    def run(*args: Any) -> int:
        process = context.Process(target=run_stage, args=args)
        process.start()
        process.join(600)
        return process.exitcode

    return run


@pytest.fixture(scope="module")
def chain(start: Callable, raw_folder: Path, write_params: Callable, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """For each stage the project before it ran, with outputs of other params in place, after it, and its changes."""
    folder = tmp_path_factory.mktemp("chain")
    shutil.copytree(raw_folder, folder / "archive")
    project = folder / "project"
    shutil.copytree(ROOT / "presets", project / "presets")
    small = {"data.source": "archive", "data.archive": str(folder / "archive"), "data.duplicates": None}
    small |= {"images.size": 32, "balance.per_class": 7}
    write_params(project / "params.yaml", small | {"images.size": 40, "split.seed": 5})
    for stage in OUTPUTS:
        assert start(stage, project) == 0
    (project / "data" / "raw" / "HAM10000_images_part_1" / "old.jpg").touch()
    write_params(project / "params.yaml", small)
    states = {}
    for stage in OUTPUTS:
        before, after = folder / f"{stage}-before", folder / f"{stage}-after"
        shutil.copytree(project, before)
        receive, send = multiprocessing.Pipe(duplex=False)
        assert start(stage, project, None, send) == 0
        shutil.copytree(project, after)
        states[stage] = before, after, receive.recv()
    return states


@pytest.mark.parametrize(
    "stage", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("explore", "balance"))) for name in OUTPUTS]
)
def test_killed_at_any_moment_an_output_is_old_new_or_gone_and_the_next_run_completes_all(
    stage: str, chain: dict, start: Callable, tree: Callable, tmp_path: Path
) -> None:
    before, after, events = chain[stage]
    assert tree(before) != tree(after), "the old outputs can be told from the new ones"
    moves = {number for number, event in enumerate(events, 1) if event == "os.rename"}
    assert len(moves) >= len(OUTPUTS[stage])
    for moment in moves | set(np.linspace(1, len(events), OTHERS).astype(int).tolist()):
        folder = tmp_path / str(moment)
        shutil.copytree(before, folder)
        assert start(stage, folder, moment) == -signal.SIGKILL
        for output in OUTPUTS[stage]:
            states = [part_of(tree(state), output) for state in (before, after)]
            gone = [{}] if Path(output).suffix == "" else []  # of folders alone
            assert part_of(tree(folder), output) in states + gone, (moment, events[moment - 1], output)
        assert start(stage, folder) == 0
        assert tree(folder) == tree(after), (moment, events[moment - 1])


def part_of(files: dict[str, bytes], output: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name == output or name.startswith(f"{output}/")}


@pytest.mark.parametrize("image", [1, 12, 35])
def test_ctrl_c_ends_a_stage_with_its_message_alone(image: int, project: Callable, noise: Callable) -> None:
    """When so many images have been opened: other threads are at work, and none is left to die with Python."""
    for number, path in enumerate(sorted(Path("data/raw").glob("*/*.jpg"))):
        Image.fromarray(noise(number, 300, 400)).save(path)
    code = (
        "import os, runpy, signal, sys\n"
        "opened = []\n"
        "def hook(event, args):\n"
        "    if event == 'open' and str(args[0]).endswith('.jpg'):\n"
        "        opened.append(1)\n"
        f"        if len(opened) == {image}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(hook)\n"
        f"runpy.run_path({str(ROOT / 'stages' / 'merge.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("merge: interrupted")
    assert sorted(path.name for path in Path("data").iterdir()) == ["raw"]
