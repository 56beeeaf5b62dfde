"""Repeatable operations: what each Keras backend needs, beside a seed, for the same weights twice."""

import os

import keras
import numpy as np


def enable() -> None:
    """Make the backend's operations repeatable; call it before the backend computes or looks for devices."""
    BACKENDS[keras.backend.backend()]()


def tensorflow() -> None:
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    # Without it two equal float32 trainings on the CPU end with different weights.
    tf.config.threading.set_inter_op_parallelism_threads(1)


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
