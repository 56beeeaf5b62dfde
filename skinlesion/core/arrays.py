"""Arrays that may be larger than memory: larger arrays are memory-mapped to a temporary file in data/.

Code that has read or written a part of such an array releases it; the OS reloads pages on access.
"""

import math
import mmap
import os
import tempfile
from collections.abc import Iterator

import numpy as np

from skinlesion.runtime import paths

# Bytes of one array in memory. With it, the stage train stays within 3 GB (ResNet50 at 128 px in bfloat16, batches of
# 32) however many images there are; rows of a mapped array are gathered fast enough for any model.
BUDGET = 2**28
PART = 64 * 2**20  # bytes


def allocate(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
    """An uninitialized array: in memory up to BUDGET bytes, else mapped to a file without a name.

    The file is in data/, on the repository's disk, because /tmp may be in memory itself. The operating system deletes
    it with the array, or with the process, even a killed one.

    Raises:
        OSError: the disk has too little space. Without this check, writing to the array would kill the process.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= BUDGET:
        return np.empty(shape, dtype)
    folder = paths.RAW.parent
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:  # macOS sets the length alone
                os.truncate(file.fileno(), size)
        except OSError as error:
            fault = f"Not enough disk space for a {size / 1e9:.1f} GB memory-mapped array ({error.strerror})"
            raise OSError(error.errno, fault, str(folder)) from None
        return np.ndarray(shape, dtype, mmap.mmap(file.fileno(), size))


def release(part: np.ndarray) -> None:
    """Free the memory of a slice of an array of `allocate`, if that is mapped; its values stay in the file."""
    mapped = mapping(part)
    if mapped is None or not part.size or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = np.frombuffer(mapped, np.uint8).ctypes.data
    first, after = (address - start for address in np.lib.array_utils.byte_bounds(part))
    page = first // mmap.PAGESIZE * mmap.PAGESIZE
    mapped.madvise(mmap.MADV_DONTNEED, page, after - page)


def iterate_parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Slices of about PART bytes along the first axis. Each is released before the next."""
    step = max(1, PART * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), step):
        part = array[start : start + step]
        yield part
        release(part)


def mapping(array: np.ndarray) -> mmap.mmap | None:
    """The memory map below `array` or the array that it is a view of; None if it is in memory."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None
