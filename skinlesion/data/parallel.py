"""Work spread over the cores, with a progress bar."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from joblib import cpu_count  # of this container or job, not of the machine
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_cores(function: Callable[[Item], Result], items: Sequence[Item], doing: str) -> list[Result]:
    """Apply `function` to every item, on threads, one per core; results come in the order of the items.

    Threads suffice: Pillow and OpenCV give the interpreter lock back while they work. On an error or Ctrl-C the items
    that were begun are finished, no other is started, and no thread is left when this raises.
    """
    pool = ThreadPoolExecutor(cpu_count())
    try:
        return list(tqdm(pool.map(function, items), total=len(items), desc=doing, unit="image", disable=None))
    finally:
        pool.shutdown(cancel_futures=True)
