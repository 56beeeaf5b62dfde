"""What happens at the end of an epoch: validation by named measures, and keeping the best weights."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.model.predict import probabilities
from skinlesion.runtime.errors import UserError


class Diverged(UserError):
    """The loss is no longer a number: trained again, it would be so again."""


Measure = Callable[[np.ndarray, np.ndarray], float]

# name -> (function of labels (N,) and probabilities (N, 7), whether more is better)
MEASURES: dict[str, tuple[Measure, bool]] = {
    "loss": (lambda y, p: log_loss(y, p, labels=range(len(CODES))), False),
    "accuracy": (lambda y, p: accuracy_score(y, p.argmax(1)), True),
    "balanced_accuracy": (lambda y, p: balanced_accuracy_score(y, p.argmax(1)), True),
}


def mode(monitor: str) -> str:
    """Keras' word for the direction in which the measure improves."""
    return "max" if MEASURES[monitor][1] else "min"


class Validate(keras.callbacks.Callback):
    """Adds val_<measure> for every measure to the epoch's logs, from one pass over the validation images.

    Stands first in the list of callbacks, since those after it read what it adds. Raises UserError where the loss or a
    probability is no longer a number.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int):
        super().__init__()
        self.images, self.labels, self.batch_size = images, labels, batch_size

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        predicted = probabilities(self.model, self.images, self.batch_size)
        if not (np.isfinite(logs["loss"]) and np.isfinite(predicted).all()):
            raise Diverged(
                f"the loss of epoch {epoch + 1} is no longer a number: "
                "lower the configuration's learning_rate, or set train.precision: float32"
            )
        for name, (measure, _) in MEASURES.items():
            logs[f"val_{name}"] = float(measure(self.labels, predicted))


class MovingAverages(keras.callbacks.SwapEMAWeights):
    """Puts the weights' moving averages in place at the end of an epoch, for validation and for keeping.

    Keras' own lets weight and average share an array after the last epoch, which JAX then takes away from both.
    """

    def __init__(self) -> None:
        super().__init__(swap_on_epoch=True)

    def _backend_finalize_ema_values(self, optimizer: keras.optimizers.Optimizer) -> None:
        pairs = zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)
        for weight, average in pairs:
            average.assign(keras.ops.convert_to_numpy(weight))


class KeepBest(keras.callbacks.Callback):
    """Keeps the classifier's weights of the best epoch over all phases, and ends each phase with them."""

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
