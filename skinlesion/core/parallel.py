"""Parallel work on images, with a progress bar."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

import joblib
from joblib.parallel import get_active_backend
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_cores(
    function: Callable[[Item], Result], items: Sequence[Item], doing: str, *, shared: bool = True
) -> list[Result]:
    """Apply `function` to every item in threads; return the results in the order of the items.

    `joblib.parallel_config` sets the number of threads; the default is one per core that this container or job may use.
    On an error or Ctrl-C the items that were begun are finished, no other is started and no thread is left.

    Args:
        doing: label of the progress bar.
        shared: ignored; threads always share memory.
    """
    threads = get_active_backend()[1] or joblib.cpu_count()
    with ThreadPoolExecutor(threads) as pool, tqdm(total=len(items), desc=doing, unit="image", disable=None) as bar:
        try:
            futures = [pool.submit(function, item) for item in items]
            for future in as_completed(futures):
                future.result()
                bar.update()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [future.result() for future in futures]
