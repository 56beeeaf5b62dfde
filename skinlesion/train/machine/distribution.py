"""The devices of one training: one, several of this machine (TensorFlow, JAX), or those of several machines (JAX).

Several devices share each batch equally. Gradients, and the statistics of batch normalization, are those of the whole
batch, so the training equals that on one device but for rounding and random numbers: augmentation and dropout draw
other numbers than on one device, and under TensorFlow all devices draw the same.
"""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np

from skinlesion.model.backend import keras
from skinlesion.model.model_file import first_sentence
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine.private_names import all_layers

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

    def count_copies(self, size: int) -> int:
        """How many copies of a batch of `size` rows the devices can share equally; 1 where they can share the batch.

        Repeated as a whole, it has the same mean loss and the same statistics in batch normalization.
        """
        return len(self.devices) // math.gcd(len(self.devices), size)

    def shard(self, batch: np.ndarray) -> np.ndarray:
        """The rows of a batch, repeated where it has to be, that this process reads."""
        copies = self.count_copies(len(batch))
        repeated = np.concatenate([batch] * copies) if copies > 1 else batch  # without a copy where all can share it
        return np.split(repeated, self.processes)[self.index]

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
