"""Work runs on as many threads as joblib is told, results keep their order, and an error leaves no thread."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import current_thread
from typing import Any

import joblib
import pytest

from skinlesion.core.parallel import over_cores
from skinlesion.runtime import params


def slow(item: int) -> int:
    time.sleep(0.002 * (item % 3))
    return item * item


@pytest.mark.parametrize("workers", [1, 5])
@pytest.mark.parametrize("number", [0, 1, 40])
def test_results_come_in_the_order_of_the_items(workers: int, number: int) -> None:
    with joblib.parallel_config(n_jobs=workers):
        assert over_cores(slow, range(number), "trying") == [item * item for item in range(number)]


def most_at_once(workers: int) -> int:
    """Return how many items are worked on at once; the first `workers` wait for each other."""
    together, lock, counts = threading.Barrier(workers), threading.Lock(), [0, 0]

    def work(item: int) -> None:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        if item < workers:
            together.wait(30)
        with lock:
            counts[0] -= 1

    over_cores(work, range(30), "trying")
    return counts[1]


def test_the_number_of_threads_is_that_of_params_or_of_the_cores(
    write_params: Callable[[Path, dict[str, Any]], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with joblib.parallel_config(n_jobs=None):  # puts back the number from before
        for workers in (1, 5):
            params.load(write_params(tmp_path / "params.yaml", {"workers": workers}))
            assert most_at_once(workers) == workers
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "3")
    with joblib.parallel_config(n_jobs=None):
        assert most_at_once(joblib.cpu_count()) == joblib.cpu_count()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_lets_begun_items_end_starts_no_other_and_leaves_no_thread(workers: int, error: type) -> None:
    before = set(threading.enumerate())
    begun, ended = [], []

    def work(item: int) -> None:
        begun.append(item)
        if item == 7:
            raise error("the seventh")
        time.sleep(0.02)
        ended.append(item)

    with joblib.parallel_config(n_jobs=workers), pytest.raises(error, match="the seventh"):
        over_cores(work, range(1000), "trying")
    assert set(threading.enumerate()) == before
    assert current_thread() in before
    assert sorted(begun) == sorted([*ended, 7])
    assert len(begun) < 7 + 20 * workers
