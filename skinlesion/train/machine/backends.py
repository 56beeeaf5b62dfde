"""What each Keras backend needs beside Keras: repeatable operations, its own random state, fast kernels."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from skinlesion.model.backend import keras
from skinlesion.train.machine import private_names


@dataclass(frozen=True)
class Backend:
    """A row of BACKENDS.

    package: its version is part of the key of a training's progress. fused: a context in which a compiled model trains
    by faster kernels. compile: makes a function of tensors faster. random_state, restore_random_state: of random
    generators that are not Keras' own, as arrays by name.
    """

    package: str
    enable_determinism: Callable[[], None]
    fused: Callable[[keras.Model], AbstractContextManager[None]] = nullcontext
    compile: Callable[[Callable], Callable] = lambda function: function
    random_state: Callable[[], dict[str, np.ndarray]] = dict
    restore_random_state: Callable[[dict[str, np.ndarray]], None] = lambda arrays: None


def repeat_tensorflow() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    private_names.add_gradients_in_pairs()
    # Grappler's arithmetic optimizer would fuse a chain of additions into one AddN, whose rounding varies.
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def fuse_tensorflow(model: keras.Model) -> AbstractContextManager[None]:
    from skinlesion.train.machine import fused_tensorflow

    return fused_tensorflow.fused(model)


def compile_tensorflow(function: Callable) -> Callable:
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def repeat_jax() -> None:
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()


def repeat_torch() -> None:
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)


def read_torch_state() -> dict[str, np.ndarray]:
    """Dropout draws from torch's generators: one for the CPU and one per GPU."""
    import torch

    states = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return {f"torch_{number}": state.numpy() for number, state in enumerate(states)}


def restore_torch_state(arrays: dict[str, np.ndarray]) -> None:
    import torch

    torch.set_rng_state(torch.from_numpy(arrays["torch_0"]))
    for number in range(torch.cuda.device_count()):
        torch.cuda.set_rng_state(torch.from_numpy(arrays[f"torch_{number + 1}"]), number)


BACKENDS = {
    "tensorflow": Backend("tensorflow", repeat_tensorflow, fuse_tensorflow, compile_tensorflow),
    "jax": Backend("jaxlib", repeat_jax),
    "torch": Backend("torch", repeat_torch, random_state=read_torch_state, restore_random_state=restore_torch_state),
}
current = BACKENDS[keras.backend.backend()]
