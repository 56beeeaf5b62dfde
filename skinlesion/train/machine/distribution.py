"""The devices of one training: one, several of this machine (TensorFlow, JAX), or those of several machines (JAX).

Several devices share each batch equally. Gradients, and the statistics of batch normalization, are those of the whole
batch, so the training equals that on one device but for rounding, with two exceptions. The last batch of an epoch may
repeat images so that it can be shared; they have less weight, but batch normalization sees them twice. And under
TensorFlow all devices draw the same random numbers, for augmentation and dropout.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Literal

import numpy as np

from skinlesion.model.backend import gpus, keras
from skinlesion.model.model_file import first_sentence
from skinlesion.runtime import processes
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine.private_names import all_layers

REPLACEMENT = (
    "Train on several hosts under JAX (make setup JAX=1): KERAS_BACKEND=jax and the variables of "
    "keras.distribution.initialize, KERAS_DISTRIBUTION_JOB_ADDRESSES, _NUM_PROCESSES and _PROCESS_ID"
)


LOSS = re.compile("Gloo|NCCL|UNAVAILABLE|DEADLINE_EXCEEDED|heartbeat|Connection")  # in an error of a lost process


class Distribution:
    """One device in one process: it changes nothing.

    devices: their names, of all processes, as gpu:0. index: of this process, from 0. processes: the number of all.
    """

    def __init__(self, devices: list[str], index: int = 0, processes: int = 1) -> None:
        self.devices, self.index, self.processes = devices, index, processes

    @property
    def is_shared(self) -> bool:
        """Whether several devices share each batch."""
        return len(self.devices) > 1

    def scope(self) -> AbstractContextManager:
        """The context in which a model is built and trained."""
        return nullcontext()

    def prepare(self, model: keras.Model) -> None:
        """Change a model that was built in `scope`, before it is compiled."""

    def predictor(self, model: keras.Model) -> "keras.Model | Predictor":
        """What predicts as `model.predict_on_batch` does, on all devices."""
        return model

    def replicate(self, images: np.ndarray) -> np.ndarray:
        """Images as an input of `model(images)`, which every device computes whole."""
        return images

    def shard(self, batch: np.ndarray) -> np.ndarray:
        """The rows of a batch that this process reads."""
        return np.split(batch, self.processes)[self.index]

    def broadcast(self, content: bytes) -> bytes:
        """The `content` that process 0 gives; the others' is not used."""
        return content

    def describe(self) -> dict:
        """The entries of metrics/train.json; none for one device."""
        return {"devices": self.devices} if self.is_shared else {}

    def name(self, device: str) -> str:
        """The devices in words, for the log: `gpu`, or `4 x gpu in 2 processes`."""
        number = f"{len(self.devices)} x {device}" if self.is_shared else device
        return f"{number} in {self.processes} processes" if self.processes > 1 else number


class Predictor:
    """Predicts batches on several devices; the last row is repeated where the devices cannot share a batch equally."""

    def __init__(self, forward: Callable[[np.ndarray], np.ndarray], number: int) -> None:
        self.forward, self.number = forward, number

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        missing = -len(images) % self.number
        return self.forward(np.concatenate([images, *[images[-1:]] * missing]))[: len(images)]


class Mirrored(Distribution):
    """Several devices under TensorFlow: tf.distribute.MirroredStrategy."""

    def __init__(self, devices: list[str]) -> None:
        import tensorflow as tf

        super().__init__(devices)
        self.strategy = tf.distribute.MirroredStrategy([f"/{name}" for name in devices])

    def scope(self) -> AbstractContextManager:
        return self.strategy.scope()

    def prepare(self, model: keras.Model) -> None:
        for layer in all_layers(model):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.synchronized = True

    def predictor(self, model: keras.Model) -> Predictor:
        # Keras' own predict_on_batch gives every device the whole batch, and returns all copies.
        import tensorflow as tf

        strategy, number = self.strategy, len(self.devices)
        call = tf.function(lambda part: strategy.run(model, (part,), {"training": False}), reduce_retracing=True)

        def forward(images: np.ndarray) -> np.ndarray:
            parts = np.split(images, number)
            part = strategy.experimental_distribute_values_from_function(
                lambda context: tf.convert_to_tensor(parts[context.replica_id_in_sync_group])
            )
            return np.concatenate([result.numpy() for result in strategy.experimental_local_results(call(part))])

        return Predictor(forward, number)


class DataParallel(Distribution):
    """Several devices, of one or several processes, under JAX: keras.distribution.DataParallel."""

    def __init__(self, devices: list[str]) -> None:
        import jax

        super().__init__(devices, jax.process_index(), jax.process_count())
        # Batches gives each process its share.
        self.parallel = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
        mesh = self.parallel.device_mesh.backend_mesh
        self.whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())

    @contextmanager
    def scope(self) -> Iterator[None]:
        """As above. Raises UserError if one of several processes is lost."""
        with self.explain_loss(), self.parallel.scope():
            yield

    @contextmanager
    def explain_loss(self) -> Iterator[None]:
        """Raise UserError in place of JAX's error where one of several processes is lost."""
        import jax

        try:
            yield
        except (jax.errors.JaxRuntimeError, ValueError) as error:  # of what waits for the lost process; JAX raises both
            if self.processes == 1 or not LOSS.search(str(error)):
                raise
            raise UserError(
                f"One of the {self.processes} processes of this training is lost, or failed ({first_sentence(error)}). "
                "Start all of them again: training resumes after the last finished epoch"
            ) from error

    def predictor(self, model: keras.Model) -> Predictor:
        import jax

        def call(trained: list, fixed: list, images: jax.Array) -> jax.Array:
            return model.stateless_call(trained, fixed, images, training=False)[0]

        compiled = jax.jit(call, out_shardings=self.whole)

        def forward(images: np.ndarray) -> np.ndarray:
            variables = model.trainable_variables, model.non_trainable_variables
            values = ([variable.value for variable in part] for part in variables)
            layout = self.parallel.get_data_layout(images.shape).backend_layout
            return np.asarray(compiled(*values, jax.make_array_from_callback(images.shape, layout, images.__getitem__)))

        return Predictor(forward, len(self.devices))

    def replicate(self, images: np.ndarray):
        import jax

        return jax.make_array_from_callback(images.shape, self.whole, images.__getitem__)

    def broadcast(self, content: bytes) -> bytes:
        if self.processes == 1:
            return content
        from jax.experimental.multihost_utils import broadcast_one_to_all

        with self.explain_loss():
            size = int(broadcast_one_to_all(np.int32(len(content))))
            own = np.frombuffer(content, np.uint8) if self.index == 0 else np.zeros(size, np.uint8)
            return np.asarray(broadcast_one_to_all(own)).tobytes() if size else b""

    def describe(self) -> dict:
        return super().describe() | ({"processes": self.processes} if self.processes > 1 else {})


DISTRIBUTIONS = {"tensorflow": Mirrored, "jax": DataParallel}
SINGLE_DEVICE = Distribution(["one"])


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


def choose(wanted: int | Literal["all"], device: str, batch_size: int) -> Distribution:
    """Apply `train.devices`.

    Args:
        device: `gpu` or `cpu`, as devices.choose returns.
        batch_size: of the whole batch.

    Raises:
        UserError: there are fewer devices, they cannot share a batch equally, or the backend has no such training.
    """
    backend, number = keras.backend.backend(), processes.count()
    there = keras.distribution.list_devices(device) if backend in DISTRIBUTIONS else gpus() or ["cpu:0"]
    count = len(there) if wanted == "all" else wanted
    if count > len(there):
        fault = f"train.devices is {count}, but {backend} sees {len(there)}: {', '.join(there)}"
        raise UserError(f"{fault}. Set train.devices: {len(there)} or less, or all")
    if number > 1 and count < len(there):
        fault = f"train.devices is {count}, but this is one of {number} processes, which have {len(there)} devices"
        raise UserError(f"{fault}. Set train.devices: all, or run one process")
    if count == 1:
        return Distribution(there[:1])
    if backend not in DISTRIBUTIONS:
        raise UserError(f"train.devices is {count}, but under {backend} one trains. Set train.devices: 1")
    if rest := batch_size % count:
        near = " or ".join(str(near) for near in (batch_size - rest, batch_size - rest + count) if near)
        raise UserError(f"train.batch_size is {batch_size}, which {count} devices cannot share equally. Set {near}")
    return DISTRIBUTIONS[backend](there[:count])
