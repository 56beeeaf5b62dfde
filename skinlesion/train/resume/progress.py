"""The progress of a training, stored after every epoch so that a killed training resumes where it was.

Everything that the next epoch depends on is stored: weights, optimizer, random seeds, the callbacks' counters, the best
weights. A resumed training ends with the same weights as an uninterrupted one, to the bit if operations are repeatable.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from skinlesion.model.backend import keras
from skinlesion.runtime.files import replace_file
from skinlesion.train.callbacks import KeepBest
from skinlesion.train.machine import backends
from skinlesion.train.machine.distribution import SINGLE_DEVICE, Distribution

PLAIN = (bool, int, float, str, type(None))  # types of a callback's counters and settings
NOT_KEPT = "min_delta"  # Keras changes its sign in the first epoch of a process
FIELDS = ("phase", "stopped", "history", "callbacks")


class Progress:
    """The state of a training; with a `path`, stored there after every epoch and read from there.

    Of several processes, the first one alone has a path; the others get what it reads.

    phase: the current one, from 1. stopped: whether a callback has ended the phase. history: a row per epoch, over all
    phases. callbacks: the counters of each of the phase's callbacks. arrays: what was read, until it is restored.
    """

    def __init__(self, path: Path | None = None, distribution: Distribution = SINGLE_DEVICE) -> None:
        self.path = path
        self.phase, self.stopped, self.history, self.callbacks = 1, False, [], []
        self.arrays: dict[str, np.ndarray] | None = None
        content = b""
        if path is not None and path.exists():
            try:
                content = path.read_bytes() or b"\0"  # an empty file is unreadable too
            except OSError as error:
                self.tell_unreadable(error)
        if content := distribution.broadcast(content):
            self.read(content)

    def read(self, content: bytes) -> None:
        try:
            with np.load(io.BytesIO(content)) as file:
                arrays = dict(file)
            fields = json.loads(bytes(arrays.pop("progress")))
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            self.tell_unreadable(error)
            return
        self.arrays = arrays
        vars(self).update(fields)
        if self.path is not None:
            print(f"train: resumes after epoch {len(self.history)}, from {self.path}", flush=True)

    def tell_unreadable(self, error: Exception) -> None:
        if self.path is not None:
            print(f"train: {self.path} cannot be read ({error}): training starts from the beginning", flush=True)

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        """Store the state and `arrays` at the path."""
        fields = {name: getattr(self, name) for name in FIELDS}
        with replace_file(self.path) as partial, partial.open("wb") as file:
            np.savez(file, progress=np.frombuffer(json.dumps(fields).encode(), np.uint8), **arrays)

    def restore(self, owners: list) -> None:
        """Set the variables of models, and of an optimizer after them, to the values that were read, if any."""
        for name, variable in name_variables(owners).items() if self.arrays else ():
            variable.assign(self.arrays[name])


class Follow(keras.callbacks.Callback):
    """Stores the state after every epoch in a Progress; a resumed training starts from that state.

    Must be the last callback, since it stores the counters of the others.

    Args:
        models: their weights and random seeds are stored, with the optimizer's state.
        best: the best weights so far, which it keeps, are stored.
        others: the callbacks before this one; their counters are stored.
    """

    def __init__(
        self, progress: Progress, models: list[keras.Model], best: KeepBest, others: list[keras.callbacks.Callback]
    ) -> None:
        super().__init__()
        self.progress, self.models, self.best, self.others = progress, models, best, others

    def owners(self) -> list:
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self.models, optimizer]

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.progress.arrays is None:
            return
        self.progress.restore(self.owners())
        arrays, self.progress.arrays = self.progress.arrays, None
        self.best.weights = [arrays[f"best_{number}"] for number, _ in enumerate(self.best.classifier.weights)]
        backends.current.restore_random_state(arrays)
        for callback, counters in zip(self.others, self.progress.callbacks, strict=True):
            vars(callback).update(counters)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        measures = {name: float(value) for name, value in logs.items() if name != "learning_rate"}
        rate = float(keras.ops.convert_to_numpy(logs.get("learning_rate", self.model.optimizer.learning_rate)))
        progress = self.progress
        progress.history.append({"epoch": epoch + 1, "phase": progress.phase, "learning_rate": rate, **measures})
        progress.stopped = bool(self.model.stop_training)
        progress.callbacks = [
            {name: value for name, value in vars(callback).items() if isinstance(value, PLAIN) and name != NOT_KEPT}
            for callback in self.others
        ]
        if progress.path is not None:
            variables = name_variables(self.owners()).items()
            arrays = {name: keras.ops.convert_to_numpy(variable) for name, variable in variables}
            best = {f"best_{number}": weight for number, weight in enumerate(self.best.weights)}
            progress.write({**arrays, **best, **backends.current.random_state()})


def name_variables(owners: list) -> dict[str, keras.Variable]:
    """The variables of models and optimizers by number: Keras' own names differ between processes."""
    unique = {id(variable): variable for owner in owners for variable in owner.variables}
    return {f"variable_{number}": variable for number, variable in enumerate(unique.values())}
