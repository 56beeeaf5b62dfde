"""Joining the hosts of one training. Only JAX trains on several hosts."""

import os

from skinlesion.model.backend import keras
from skinlesion.runtime import processes
from skinlesion.runtime.errors import UserError

REPLACEMENT = (
    "Train on several hosts under JAX (make setup JAX=1): KERAS_BACKEND=jax and the variables of "
    "keras.distribution.initialize, KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and _PROCESS_ID"
)


def join() -> None:
    """Join the other processes of a training on several hosts. Call it before anything is computed.

    Raises:
        UserError: the environment names several processes, but the backend is not JAX, or they do not meet.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow" and "TF_CONFIG" in os.environ:
        fault = "MultiWorkerMirroredStrategy does not work with Keras 3 (keras-team/keras#20585)"
        raise UserError(f"TF_CONFIG is set, but TensorFlow's {fault}. {REPLACEMENT}. For one host: unset TF_CONFIG")
    if processes.count() == 1:
        return
    if backend != "jax":
        raise UserError(f"{processes.COUNT} is {processes.count()}, but the backend is {backend}. {REPLACEMENT}")
    print(f"process {processes.index()} of {processes.count()} waits for the others", flush=True)
    try:
        keras.distribution.initialize()
    except (RuntimeError, ValueError, TypeError) as error:
        raise UserError(
            f"The {processes.count()} processes of this training did not meet: {error}. Start all within five minutes, "
            "with the same KERAS_DISTRIBUTION_JOB_ADDRESSES, HOST:PORT of process 0, which a firewall must let through"
        ) from None
