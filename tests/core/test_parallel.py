"""Work is spread as joblib is told to, its results keep their order, and an end by error or Ctrl-C leaves no thread."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import current_thread
from typing import Any

import joblib
import numpy as np
import pytest

from skinlesion.core import images
from skinlesion.core.parallel import map_parallel
from skinlesion.model import dataset
from skinlesion.runtime import params


def slow(item: int) -> int:
    time.sleep(0.002 * (item % 3))
    return item * item


def threads() -> set[threading.Thread]:
    """Those that run, less the progress bar's own, which stays for good."""
    return {thread for thread in threading.enumerate() if thread.name != "tqdm_monitor"}


def process(item: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_results_come_in_the_order_of_the_items(workers: int, number: int) -> None:
    with joblib.parallel_config(n_jobs=workers):
        assert map_parallel(slow, range(number), "trying") == [item * item for item in range(number)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_so_many_items_are_worked_on_at_once(workers: int) -> None:
    """No more; and so many, as the first ones wait for each other."""
    together, most, lock = threading.Barrier(workers), [0, 0], threading.Lock()

    def work(item: int) -> None:
        with lock:
            most[0] += 1
            most[1] = max(most)
        if item < workers:
            together.wait(30)
        with lock:
            most[0] -= 1

    with joblib.parallel_config(n_jobs=workers):
        map_parallel(work, range(30), "trying")
    assert most == [0, workers]


def test_unsaid_there_is_a_worker_per_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "3")
    cores = joblib.cpu_count()
    together = threading.Barrier(cores)
    with joblib.parallel_config(n_jobs=None):
        names = map_parallel(lambda _: (together.wait(30), current_thread().name)[1], range(cores), "trying")
    assert len(set(names)) == cores


def test_params_say_how_many(write_params: Callable[[Path, dict[str, Any]], Path], tmp_path: Path) -> None:
    with joblib.parallel_config(n_jobs=None):  # puts back what was said before
        params.load(write_params(tmp_path / "params.yaml", {"workers": 1}))
        assert map_parallel(lambda _: current_thread(), range(5), "trying") == [current_thread()] * 5
        params.load(write_params(tmp_path / "params.yaml", {"workers": 2}))
        together = threading.Barrier(2)
        assert len(map_parallel(lambda _: together.wait(30), range(2), "trying")) == 2


@pytest.mark.parametrize("shared", [False, True])
def test_another_backend_takes_over_unless_memory_is_shared(shared: bool) -> None:
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = set(map_parallel(process, range(4), "trying", needs_threads=shared))
    assert (os.getpid() in found) == shared


def test_images_are_loaded_whatever_the_backend(tmp_path: Path, noise: Callable) -> None:
    files = [str(tmp_path / f"{number}.png") for number in range(6)]
    for number, file in enumerate(files):
        images.write_png(Path(file), noise(number, 8, 8))
    with joblib.parallel_config(backend="loky", n_jobs=2):
        loaded = dataset.read_images(files, "trying")
    np.testing.assert_array_equal(loaded, [noise(number, 8, 8) for number in range(6)])


@pytest.mark.parametrize("number", [1, 40])
def test_no_thread_is_left_not_even_one_without_work(number: int) -> None:
    before = threads()
    for _ in range(50):
        with joblib.parallel_config(n_jobs=5):
            map_parallel(slow, range(number), "trying")
        assert threads() == before


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_an_error_lets_the_begun_end_starts_no_other_and_leaves_no_thread(workers: int) -> None:
    before = threads()
    begun, ended = [], []

    def work(item: int) -> None:
        begun.append(item)
        if item == 7:
            raise ValueError("the seventh")
        time.sleep(0.02)
        ended.append(item)

    with joblib.parallel_config(n_jobs=workers), pytest.raises(ValueError, match="the seventh"):
        map_parallel(work, range(1000), "trying")
    assert threads() == before
    assert sorted(begun) == sorted([*ended, 7])
    assert len(begun) < 7 + 20 * workers
    seen = len(begun)
    time.sleep(0.1)
    assert len(begun) == seen


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
@pytest.mark.parametrize("item", [0, 3, 50, 99])
def test_ctrl_c_at_any_item_leaves_no_thread_and_ends_the_process_cleanly(item: int) -> None:
    code = f"""
import os, signal, threading, time
from skinlesion.core.parallel import map_parallel
from skinlesion.model import dataset
begun, ended = [], []
def work(item):
    begun.append(item)
    if item == {item}: os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
    ended.append(item)
try:
    map_parallel(work, range(100), 'trying')
except KeyboardInterrupt:
    print(sorted(begun) == sorted(ended), sorted(thread.name for thread in threading.enumerate()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True ['MainThread', 'tqdm_monitor']\n", "")
