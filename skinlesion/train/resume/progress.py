"""How far a training has come: kept on disk after every epoch, so that one that was killed goes on where it was.

All that the next epoch hangs on is kept: weights, optimizer, random seeds, what callbacks count, the best weights.
The training that goes on ends with the weights of one that was never stopped, to the bit where operations repeat.
"""

import json
import zipfile
from pathlib import Path

import numpy as np

from skinlesion.model.backend import keras
from skinlesion.runtime.files import replace_file
from skinlesion.train.callbacks import KeepBest
from skinlesion.train.machine import determinism

PLAIN = (bool, int, float, str, type(None))  # of a callback's attributes: what it counts, and its settings


class Progress:
    """Where a training stands; with a `path`, kept there after every epoch and read from there.

    phase: the one that it is in, from 1. history: a row per epoch, over all phases. stopped: whether a callback has
    ended the phase. callbacks: what each of the phase's callbacks has counted. arrays: by name, until restored.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.phase, self.stopped, self.history, self.callbacks = 1, False, [], []
        self.arrays: dict[str, np.ndarray] | None = None
        if path is not None and path.exists():
            self.read()

    def read(self) -> None:
        try:
            with np.load(self.path) as file:
                arrays = dict(file)
            said = json.loads(bytes(arrays.pop("progress")))
        except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            print(f"train: {self.path} cannot be read ({error}): training begins anew", flush=True)
            return
        self.arrays = arrays
        self.phase, self.stopped, self.history, self.callbacks = (
            said[name] for name in ("phase", "stopped", "history", "callbacks")
        )
        print(f"train: goes on after epoch {len(self.history)}, kept in {self.path}", flush=True)

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        if self.path is None:
            return
        said = {name: getattr(self, name) for name in ("phase", "stopped", "history", "callbacks")}
        with replace_file(self.path) as partial, partial.open("wb") as file:
            np.savez(file, progress=np.frombuffer(json.dumps(said).encode(), np.uint8), **arrays)

    def restore(self, holders: list) -> None:
        """Give the variables of models, and of an optimizer after them, the values that were read, if any were."""
        for name, variable in named(holders).items() if self.arrays else ():
            variable.assign(self.arrays[name])

    def before(self, phase: int) -> int:
        """How many epochs the phases before `phase` had."""
        return sum(row["phase"] < phase for row in self.history)


class Follow(keras.callbacks.Callback):
    """Notes every epoch in a Progress, and takes a training that goes on back to where it was.

    Stands last in the list of callbacks, since it keeps what the others have counted.

    Args:
        models: whose weights, seeds and the optimizer's state are kept.
        best: its weights are kept too.
        others: the callbacks before it.
        learning_rate: that of the history's row where no callback says another.
    """

    def __init__(
        self,
        progress: Progress,
        models: list[keras.Model],
        best: KeepBest,
        others: list[keras.callbacks.Callback],
        learning_rate: float,
    ) -> None:
        super().__init__()
        self.progress, self.models, self.best, self.others = progress, models, best, others
        self.learning_rate = learning_rate

    def holders(self) -> list:
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self.models, optimizer]

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self.progress.arrays is None:
            return
        self.progress.restore(self.holders())
        arrays, self.progress.arrays = self.progress.arrays, None
        self.best.weights = [arrays[f"best_{number}"] for number, _ in enumerate(self.best.classifier.weights)]
        determinism.go_on_from(arrays)
        for callback, counted in zip(self.others, self.progress.callbacks, strict=True):
            vars(callback).update(counted)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        measures = {name: float(value) for name, value in logs.items() if name != "learning_rate"}
        rate = float(logs.get("learning_rate", self.learning_rate))
        progress = self.progress
        progress.history.append({"epoch": epoch + 1, "phase": progress.phase, "learning_rate": rate, **measures})
        progress.stopped = bool(self.model.stop_training)
        progress.callbacks = [counted(callback) for callback in self.others]
        if progress.path is not None:
            arrays = {name: keras.ops.convert_to_numpy(one) for name, one in named(self.holders()).items()}
            best = {f"best_{number}": one for number, one in enumerate(self.best.weights)}
            progress.write({**arrays, **best, **determinism.state()})


def named(holders: list) -> dict[str, keras.Variable]:
    """The variables of models and optimizers by names that are the same in every process: layers' own count up."""
    found = [variable for holder in holders for variable in holder.variables]
    return {f"variable_{number}": one for number, one in enumerate({id(one): one for one in found}.values())}


def counted(callback: keras.callbacks.Callback) -> dict:
    """The plain values among a callback's attributes."""
    return {name: value for name, value in vars(callback).items() if isinstance(value, PLAIN)}
