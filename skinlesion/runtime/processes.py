"""The processes of one training on several hosts, as the environment names them.

They are named by Keras' variables, or by SLURM's for a job step of several tasks under JAX, which JAX reads itself.
"""

import os

from skinlesion.runtime.errors import UserError

COUNT, INDEX = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
SLURM = {COUNT: "SLURM_STEP_NUM_TASKS", INDEX: "SLURM_PROCID"}


def count() -> int:
    """The number of processes; 1 where the environment names none."""
    return read(COUNT, 1)


def index() -> int:
    """The number of this process, from 0. Process 0 alone writes outputs."""
    return read(INDEX, 0) if count() > 1 else 0


def check() -> None:
    """Raise UserError where Keras' variables do not name a number of processes and one of them."""
    total, own = os.environ.get(COUNT), os.environ.get(INDEX)
    if total is None:
        return
    if not total.isdecimal() or int(total) < 1:
        raise UserError(f"{COUNT} is {total!r}. Set the number of processes, or unset it")
    if int(total) > 1 and not (own and own.isdecimal() and int(own) < int(total)):
        raise UserError(
            f"{INDEX} is {own!r}. Give each of the {total} processes its own number, from 0 to {int(total) - 1}"
        )


def read(name: str, default: int) -> int:
    named = os.environ.get(name)
    if named is None and COUNT not in os.environ and os.environ.get("KERAS_BACKEND") == "jax":
        named = os.environ.get(SLURM[name])
    return int(named) if named and named.isdecimal() else default
