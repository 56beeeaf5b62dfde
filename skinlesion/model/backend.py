"""Keras and its backend, started without their start-up chatter. The package takes Keras from here alone."""

import ctypes
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from skinlesion.runtime import verbose

CHATTER = re.compile(
    r"^(WARNING: All log messages before absl|[IW]\d{4} |To enable the following instructions"
    r"|E\d{4} .*failed call to cuInit)"  # no GPU, which is no error unless train.device insists on one
)

M_ARENA_MAX = -8  # of malloc.h


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back what C++ code writes to stderr meanwhile; drop its notes and warnings, pass on all else.

    Where more is asked for, nothing is held back.
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
            sys.stderr.writelines(line for line in held if not CHATTER.match(line))


def hide_gpus_from_tensorflow() -> None:
    """Keras and keras-hub load TensorFlow, where it is installed, under any backend: it must not take GPU memory."""
    with suppress(ImportError):
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")


def keep_to_one_heap() -> None:
    """Let all threads take memory from one heap of glibc's, which keeps it.

    Heaps of threads give large arrays back to the system and take them anew, page by page, in every training step: a
    tenth of its time on the CPU.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_ARENA_MAX, 1)


keep_to_one_heap()  # before there are threads
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose.asked() else "2")
with quiet():
    import keras

    if keras.backend.backend() != "tensorflow":
        hide_gpus_from_tensorflow()


def gpus() -> list[str]:
    """The GPUs that the backend sees."""
    with quiet():
        if keras.backend.backend() == "torch":  # Keras knows none of its devices
            import torch

            return [f"gpu:{number}" for number in range(torch.cuda.device_count())]
        try:
            return keras.distribution.list_devices("gpu")
        except RuntimeError:  # JAX, where there is none
            return []
