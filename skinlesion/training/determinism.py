"""Repeatable operations: what each Keras backend needs, beside a seed, for the same weights twice."""

import os

import keras


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
