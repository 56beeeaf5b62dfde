"""Work spread over the cores, with a progress bar."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from joblib import Parallel, delayed
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")


def over_cores(function: Callable[[Item], Result], items: Sequence[Item], doing: str) -> list[Result]:
    """Apply `function` to every item, on threads, one per core; results come in the order of the items.

    Threads suffice: Pillow and OpenCV give the interpreter lock back while they work.
    """
    spread = Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    results = spread(delayed(function)(item) for item in items)
    return list(tqdm(results, total=len(items), desc=doing, unit="image", disable=None))
