"""The processes of one training on several hosts, as the environment names them.

They are named by Keras' variables, or by SLURM's for a job step of several tasks under JAX, which JAX reads itself.
"""

import os

COUNT, NUMBER = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
SLURM = {COUNT: "SLURM_STEP_NUM_TASKS", NUMBER: "SLURM_PROCID"}


def count() -> int:
    """The number of processes; 1 where the environment names none."""
    return read(COUNT, 1)


def number() -> int:
    """The number of this process, from 0. Process 0 alone writes outputs."""
    return read(NUMBER, 0) if count() > 1 else 0


def read(name: str, default: int) -> int:
    named = os.environ.get(name)
    if named is None and COUNT not in os.environ and os.environ.get("KERAS_BACKEND") == "jax":
        named = os.environ.get(SLURM[name])
    return int(named) if named and named.isdecimal() else default
