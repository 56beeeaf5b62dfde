"""Arrays that may be larger than memory: beyond a budget they lie in a file, of which memory holds what is in use.

Whoever has read or written a part of such an array drops it; what is read again comes back by itself, from the system's
cache of the disk while there is room for it.
"""

import math
import mmap
import os
import tempfile
from collections.abc import Iterator

import numpy as np

from skinlesion.runtime import paths

# Bytes that one array may take in memory. With it, the stage train stays within 3 GB (ResNet50 at 128 px in bfloat16,
# batches of 32) however many images there are; what is mapped is gathered fast enough for any model.
BUDGET = 2**28
PART = 64 * 2**20  # bytes


def empty(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """An array to be filled: in memory up to BUDGET, else mapped to a file without a name.

    The file lies in data/, on the repository's disk, as /tmp may itself be memory; it goes with the array, or with the
    process, even one that is killed.

    Raises:
        OSError: the disk has no room for it; said here, where writing to the array would end the process.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= BUDGET:
        return np.empty(shape, dtype)
    folder = paths.RAW.parent
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            reserve(file.fileno(), size)
        except OSError as error:
            what = f"{error.strerror} for {size / 1e9:.1f} GB that memory is to be spared"
            raise OSError(error.errno, what, str(folder)) from None
        return np.ndarray(shape, dtype, mmap.mmap(file.fileno(), size))


def reserve(file: int, size: int) -> None:
    """Give a file so many bytes on the disk; where the system cannot promise them, the length alone."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)


def drop(part: np.ndarray) -> None:
    """Give back the memory that the use of `part` has taken, of an array that `empty` mapped; nothing is lost.

    Args:
        part: a slice of the array or all of it; of any other array nothing happens.
    """
    mapped = mapping(part)
    if mapped is None or not part.size or not hasattr(mmap, "MADV_DONTNEED"):
        return
    begin = np.frombuffer(mapped, np.uint8).ctypes.data
    first, after = (place - begin for place in np.lib.array_utils.byte_bounds(part))
    page = first // mmap.PAGESIZE * mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, page, after - page)


def parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array in slices along its first axis, of about PART bytes, each dropped when the next is asked for."""
    step = max(1, PART * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        part = array[start : start + step]
        yield part
        drop(part)


def mapping(array: np.ndarray) -> mmap.mmap | None:
    """What `array`, or the one that it is a view of, was mapped with; None: it lies in memory."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
