"""Callbacks at the end of an epoch: validation by named measures, averaged weights, and the best weights so far."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.model.predict import probabilities
from skinlesion.runtime.errors import UserError


class Diverged(UserError):
    """The loss is NaN or infinite. The same training would diverge again."""


Measure = Callable[[np.ndarray, np.ndarray], float]

# name -> (function of labels (N,) and probabilities (N, 7), whether higher is better)
MEASURES: dict[str, tuple[Measure, bool]] = {
    "loss": (lambda y, p: log_loss(y, p, labels=range(len(CODES))), False),
    "accuracy": (lambda y, p: accuracy_score(y, p.argmax(1)), True),
    "balanced_accuracy": (lambda y, p: balanced_accuracy_score(y, p.argmax(1)), True),
}


class Validate(keras.callbacks.Callback):
    """Adds val_<measure> of every measure to the epoch's logs, from one pass over the validation images.

    Must be before the callbacks that read these logs. Raises Diverged if the loss or a probability is NaN or infinite.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int):
        super().__init__()
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        predicted = probabilities(self.model, self.images, self.batch_size)
        if not (np.isfinite(logs["loss"]) and np.isfinite(predicted).all()):
            raise Diverged(
                f"Training diverged in epoch {epoch + 1}: the loss or a probability is NaN or infinite. "
                "Set a lower learning_rate in the configuration, or train.precision: float32"
            )
        for name, (measure, _) in MEASURES.items():
            logs[f"val_{name}"] = float(measure(self.labels, predicted))


class AverageWeights(keras.callbacks.SwapEMAWeights):
    """Gives the model its averaged weights from the end of an epoch to the start of the next.

    At the end of the last epoch Keras would also copy the averages so that weight and average share one array, which
    JAX then deletes. It needs no special case here, since KeepBest sets the weights afterwards.
    """

    def __init__(self) -> None:
        super().__init__(swap_on_epoch=True)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_end(epoch=-1, logs=logs)


class KeepBest(keras.callbacks.Callback):
    """Keeps the classifier's weights of the best epoch over all phases, and sets them at the end of each phase."""

    def __init__(self, monitor: str, classifier: keras.Model):
        super().__init__()
        self.classifier = classifier
        self.key, self.sign = f"val_{monitor}", 1 if MEASURES[monitor][1] else -1
        self.value, self.epoch, self.weights = -np.inf, None, None

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        value = self.sign * logs[self.key]
        if value > self.value:
            self.value, self.epoch, self.weights = value, epoch, self.classifier.get_weights()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.weights is not None:
            self.classifier.set_weights(self.weights)
