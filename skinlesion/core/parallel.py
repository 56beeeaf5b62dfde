"""Parallel work by joblib, with a progress bar. `joblib.parallel_config` chooses backend and number of workers."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.dummy import Process as PoolThread
from typing import TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.parallel import get_active_backend
from tqdm import tqdm

from skinlesion.runtime import cluster

Item = TypeVar("Item")
Result = TypeVar("Result")
ALL_CORES = -1  # of this container or job, not of the machine


def map_parallel(
    function: Callable[[Item], Result], items: Sequence[Item], doing: str, *, needs_threads: bool = False
) -> list[Result]:
    """Apply `function` to every item; return the results in the order of the items.

    By default it runs in one thread per core: Pillow and OpenCV release the interpreter lock. On an error or Ctrl-C the
    items that were begun are finished, no other is started and no thread is left.

    Args:
        doing: label of the progress bar.
        needs_threads: `function` uses large or shared memory of this process, so it needs threads whatever backend is
            chosen.
    """
    n_jobs = get_active_backend()[1] or ALL_CORES
    spread = Spread(n_jobs=n_jobs, prefer="threads", require="sharedmem" if needs_threads else None)
    before = set(threading.enumerate())
    try:
        with tqdm(total=len(items), desc=doing, unit="image", disable=None) as spread.bar:
            return spread(delayed(function)(item) for item in items)
    finally:
        for thread in set(threading.enumerate()) - before:
            if isinstance(thread, PoolThread):  # joblib has told it to end, and does not wait
                thread.join()


@contextmanager
def use_cluster() -> Iterator[None]:
    """Within it `map_parallel` runs on the Dask cluster that DASK_SCHEDULER_ADDRESS names, if it is set.

    Each task is pickled with `function` and its items, so both should be small, and paths absolute, on a file system
    that the workers share. Dask repeats the tasks of a worker that dies.

    Raises:
        UserError: see `cluster.connect`.
    """
    address = os.environ.get(cluster.ADDRESS)
    if not address:
        yield
        return
    with cluster.connect(address) as client, parallel_config("dask", client=client):
        backend, _ = get_active_backend()
        count = backend.effective_n_jobs
        backend.effective_n_jobs = lambda n_jobs: max(count(n_jobs), 2)  # with 1, joblib would work in this process
        yield


class Spread(Parallel):
    """Joblib's Parallel, with a bar in place of its lines."""

    bar: tqdm

    def print_progress(self) -> None:
        self.bar.update(self.n_completed_tasks - self.bar.n)
