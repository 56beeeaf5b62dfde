"""Repeatable operations: what each Keras backend needs, beside a seed, for the same weights twice."""

import functools
import os

import numpy as np

from skinlesion.model.backend import keras


def enable() -> None:
    """Make the backend's operations repeatable; call it before the backend computes or looks for devices."""
    BACKENDS[keras.backend.backend()]()


def tensorflow() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    sum_in_pairs()


def sum_in_pairs() -> None:
    """Let TensorFlow add gradients two at a time, in their order, and leave sums as they are written.

    Its kernel that adds three or more begins with one of which it may reuse the memory: which one, and with it the
    rounding, hangs on what other threads have done by then. The arithmetic optimizer would make one such of a chain.
    """
    import tensorflow as tf
    from tensorflow.python.ops import gen_math_ops  # which the gradient tape adds by; no public name reaches that

    add_n = gen_math_ops.add_n

    def in_pairs(inputs: list[tf.Tensor], name: str | None = None) -> tf.Tensor:
        if len(inputs) < 3:
            return add_n(inputs, name)
        return functools.reduce(lambda total, one: add_n([total, one]), inputs)

    gen_math_ops.add_n = in_pairs
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})


def jax() -> None:
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()


def torch() -> None:
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)


BACKENDS = {"tensorflow": tensorflow, "jax": jax, "torch": torch}


def state() -> dict[str, np.ndarray]:
    """By name, what random numbers hang on beside Keras' own seeds: torch draws some, of dropout, by generators of its
    own, one for the CPU and one for each GPU."""
    if keras.backend.backend() != "torch":
        return {}
    import torch

    generators = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    return {f"torch_{number}": one.numpy() for number, one in enumerate(generators)}


def go_on_from(arrays: dict[str, np.ndarray]) -> None:
    """Take random numbers back to where `state` found them, which is among `arrays`."""
    if keras.backend.backend() != "torch":
        return
    import torch

    torch.set_rng_state(torch.from_numpy(arrays["torch_0"]))
    for number in range(torch.cuda.device_count()):
        torch.cuda.set_rng_state(torch.from_numpy(arrays[f"torch_{number + 1}"]), number)
