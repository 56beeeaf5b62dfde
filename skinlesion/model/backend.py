"""Keras and its backend, started without their start-up messages. The package imports Keras from here only."""

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from skinlesion.runtime import verbose

NOISE = re.compile(
    r"^(WARNING: All log messages before absl|[IW]\d{4} |To enable the following instructions"
    r"|E\d{4} .*failed call to cuInit)"  # no GPU: an error only if train.device is gpu, and then devices.py says so
)
M_ARENA_MAX = -8  # of malloc.h


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what C++ code writes to stderr; afterwards drop its notes and warnings and write the rest.

    Holds nothing back if the user asked for more output.
    """
    if verbose.asked():
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile(mode="w+", errors="replace") as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            sys.stderr.writelines(line for line in held if not NOISE.match(line))


# All threads allocate from one glibc heap, which keeps its memory. Separate heaps return large arrays to the system
# and request them again in every training step, a tenth of its time on the CPU. To be set before any thread starts.
if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
    mallopt(M_ARENA_MAX, 1)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose.asked() else "2")
with quiet():
    import keras

    if keras.backend.backend() != "tensorflow":
        with suppress(ImportError):  # Keras and keras-hub import TensorFlow too; let it take no GPU memory
            import tensorflow as tf

            tf.config.set_visible_devices([], "GPU")


def gpus() -> list[str]:
    """The GPUs that the backend sees."""
    with quiet():
        if keras.backend.backend() == "torch":  # Keras lists none of its devices
            import torch

            return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
        try:
            return keras.distribution.list_devices("gpu")
        except RuntimeError:  # JAX without a GPU
            return []
