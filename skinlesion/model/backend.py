"""Keras and its backend, started without their start-up messages. The package imports Keras from here only."""

import ctypes
import logging
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
# Settings of glibc's malloc. All threads allocate from one heap, which keeps its memory. Else large arrays go back to
# the system and are requested again in every training step, page by page: up to an eighth of its time on the CPU.
MALLOC = {"M_ARENA_MAX": (-8, 1), "M_MMAP_MAX": (-4, 0), "M_TRIM_THRESHOLD": (-1, -1)}


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


if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
    for number, value in MALLOC.values():  # before any thread starts
        mallopt(number, value)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose.asked() else "2")
if not verbose.asked():  # Keras retraces for a batch of another size, which nobody can change
    logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in record.getMessage())
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
