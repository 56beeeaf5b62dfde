"""What each Keras backend needs for fast training steps."""

from contextlib import AbstractContextManager, nullcontext

import keras


def fast(model: keras.Model) -> AbstractContextManager[None]:
    """A context in which the model's training steps are fast, with the same result but for rounding."""
    return BACKENDS[keras.backend.backend()](model)


def tensorflow(model: keras.Model) -> AbstractContextManager[None]:
    from skinlesion.training import fused_tensorflow

    return fused_tensorflow.fused(model)


BACKENDS = {"tensorflow": tensorflow, "jax": nullcontext, "torch": nullcontext}
