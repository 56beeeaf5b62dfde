"""A stage that is killed, or interrupted, at any moment leaves nothing half-written, and nothing once it has run again.

A moment is an event of Python's audit hooks: just before a file is opened for writing, a folder made, something moved
or removed. Each run is a fork of a server that has imported the stages.
"""

import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.chain import ROOT

OUTPUTS = {
    "download": ["data/raw"],
    "merge": ["data/merged", "metrics/data.json"],
    "explore": ["plots/explore"],
    "balance": ["data/balanced", "plots/balance"],
    "split": ["data/splits.csv", "metrics/split.json"],
}
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
KEPT = 3  # moments of each stage beside the moves, spread over its time

pytestmark = [pytest.mark.chain, pytest.mark.skipif(os.name != "posix", reason="forks and kills")]


def on_change(act: Callable[[str], None]) -> None:
    """Call `act` with the event just before this process changes the file system below the current folder.

    What it does within a folder that is being written is called `inside`.
    """
    below = str(Path.cwd())

    def hook(event: str, args: tuple) -> None:
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)):
            path = args[0]
            if isinstance(path, (str, Path)) and str(Path(path).absolute()).startswith(below):
                inside = any(name.startswith(".partial") for name in Path(path).parent.parts)
                act("inside" if inside else event)

    sys.addaudithook(hook)


def run_stage(name: str, folder: Path, moment: int | None = None, events: Any = None) -> None:
    """In a process of its own: run a stage; kill it at `moment`, or send its events to the pipe `events`."""
    os.chdir(folder)
    seen: list[str] = []

    def act(event: str) -> None:
        seen.append(event)
        if len(seen) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    on_change(act)
    importlib.import_module(f"stages.{name}").main()
    if events:
        events.send(seen)


@pytest.fixture(scope="module")
def start() -> Callable[..., int]:
    """`start(stage, folder, moment)`: run a stage in a process of its own; gives back its exit code."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"stages.{name}" for name in OUTPUTS])

    def run(*args: Any) -> int:
        process = context.Process(target=run_stage, args=args)
        process.start()
        process.join(60)
        return process.exitcode

    return run


@pytest.fixture(scope="module")
def chain(
    start: Callable[..., int],
    raw_folder: Path,
    write_params: Callable[[Path, dict[str, Any]], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Path, Path, list[str]]]:
    """For each stage the project before it ran, with outputs of other params in place, after it, and its events."""
    folder = tmp_path_factory.mktemp("chain")
    archive = folder / "archive"
    shutil.copytree(raw_folder, archive)
    project = folder / "project"
    shutil.copytree(ROOT / "presets", project / "presets")
    small = {
        "data.source": "archive",
        "data.archive": str(archive),
        "data.duplicates": None,
        "images.size": 32,
        "balance.per_class": 7,
    }
    write_params(project / "params.yaml", small | {"images.size": 40, "balance.seed": 5, "split.seed": 5})
    for stage in OUTPUTS:
        assert start(stage, project) == 0
    (project / "data" / "raw" / "HAM10000_images_part_1" / "old.jpg").touch()
    write_params(project / "params.yaml", small)
    found = {}
    for stage in OUTPUTS:
        before, after = folder / f"{stage}-before", folder / f"{stage}-after"
        shutil.copytree(project, before)
        receive, send = multiprocessing.Pipe(duplex=False)
        assert start(stage, project, None, send) == 0
        shutil.copytree(project, after)
        found[stage] = before, after, receive.recv()
    return found


def moments(events: list[str]) -> Iterator[int]:
    """All moves and some others; counted from 1."""
    some = set(np.linspace(1, len(events), KEPT).astype(int))
    return (number for number, event in enumerate(events, 1) if event == "os.rename" or number in some)


@pytest.mark.parametrize(
    "stage", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("explore", "balance"))) for name in OUTPUTS]
)
def test_killed_at_any_moment_an_output_is_old_or_new_or_gone_and_the_next_run_mends_all(
    stage: str, chain: dict, start: Callable[..., int], tree: Callable[[Path], dict[str, bytes]], tmp_path: Path
) -> None:
    before, after, events = chain[stage]
    expected = tree(after)
    assert expected != tree(before), "the old outputs are told from the new ones"
    assert events.count("os.rename") >= len(OUTPUTS[stage])
    for moment in moments(events):
        folder = tmp_path / str(moment)
        shutil.copytree(before, folder)
        assert start(stage, folder, moment) == -signal.SIGKILL
        for output in OUTPUTS[stage]:
            whole = [whole_output(place / output) for place in (before, after)]
            gone = [None] if (folder / output).suffix == "" else []
            assert whole_output(folder / output) in whole + gone, (moment, events[moment - 1], output)
        assert start(stage, folder) == 0
        assert tree(folder) == expected, (moment, events[moment - 1])
        shutil.rmtree(folder)


def whole_output(place: Path) -> dict[str, bytes] | bytes | None:
    """All that is in an output, hidden files too."""
    if place.is_dir():
        return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    return place.read_bytes() if place.exists() else None


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
    assert (done.returncode, done.stderr) == (1, "merge: interrupted; nothing was left half-written\n")
    assert sorted(path.name for path in Path("data").iterdir()) == ["raw"]
