"""What each Keras backend needs for fast training steps."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from skinlesion.model.backend import keras


def fast(model: keras.Model) -> AbstractContextManager[None]:
    """A context in which a compiled model's training steps are fast, with the same result but for rounding."""
    return BACKENDS[keras.backend.backend()](model)


def tensorflow(model: keras.Model) -> AbstractContextManager[None]:
    from skinlesion.train.machine import fused_tensorflow

    return fused_tensorflow.fused(model)


BACKENDS = {"tensorflow": tensorflow, "jax": nullcontext, "torch": nullcontext}


def compiled(function: Callable) -> Callable:
    """`function` of tensors, by XLA under TensorFlow; under JAX it is compiled with the step that it is part of."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True)
