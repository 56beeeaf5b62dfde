"""Callbacks at the end of an epoch: validation by named measures, averaged weights, and the best weights so far."""

from collections.abc import Callable, Iterable

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, roc_auc_score

from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.model.predict import probabilities
from skinlesion.runtime.errors import UserError
from skinlesion.train.batches import Batches
from skinlesion.train.machine.distribution import SINGLE_DEVICE, Distribution
from skinlesion.train.machine.private_names import all_layers


class Diverged(UserError):
    """The loss is NaN or infinite. The same training would diverge again."""


STATISTICS_BATCHES = 32
Measure = Callable[[np.ndarray, np.ndarray], float]


def roc_auc_macro(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The mean area under the ROC curves of each class that has images against the rest; 0.5 if only one has."""
    present = np.unique(labels)
    truth = labels[:, None] == present
    return roc_auc_score(truth, probabilities[:, present]) if len(present) > 1 else 0.5


# name -> (function of labels (N,) and probabilities (N, 7), whether higher is better)
MEASURES: dict[str, tuple[Measure, bool]] = {
    "loss": (lambda y, p: log_loss(y, p, labels=range(len(CODES))), False),
    "accuracy": (lambda y, p: accuracy_score(y, p.argmax(1)), True),
    "balanced_accuracy": (lambda y, p: balanced_accuracy_score(y, p.argmax(1)), True),
    "roc_auc_macro": (roc_auc_macro, True),
}


class Validate(keras.callbacks.Callback):
    """Adds val_<measure> of every measure to the epoch's logs, from one pass over the validation images.

    Must be before the callbacks that read these logs. Raises Diverged if the loss or a probability is NaN or infinite.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, batch_size: int, distribution: Distribution = SINGLE_DEVICE
    ):
        super().__init__()
        self.images, self.labels, self.batch_size, self.distribution = images, labels, batch_size, distribution

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.predictor = self.distribution.predictor(self.model)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        predicted = probabilities(self.predictor, self.images, self.batch_size)
        if not (np.isfinite(logs["loss"]) and np.isfinite(predicted).all()):
            raise Diverged(
                f"Training diverged in epoch {epoch + 1}: the loss or a probability is NaN or infinite. "
                "Set a lower learning_rate in the configuration, or train.precision: float32"
            )
        for name, (measure, _) in MEASURES.items():
            logs[f"val_{name}"] = float(measure(self.labels, predicted))


class CountOnce(keras.callbacks.Callback):
    """Corrects an epoch's loss and accuracy where its last batch is repeated: each image counts once.

    Must be before the callbacks that read these logs.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.next_to_last = len(batches) - 2
        self.size_before = batches.batch_size * (len(batches) - 1)  # of all batches but the last
        self.last_size = len(batches.images) - self.size_before
        self.copies = batches.distribution.count_copies(self.last_size)
        self.means_before: dict[str, float] = {}

    def on_train_batch_end(self, batch: int, logs: dict) -> None:
        if batch == self.next_to_last:
            self.means_before = dict(logs)

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        for name, mean in self.means_before.items():
            sum_before = mean * self.size_before
            sum_of_copies = logs[name] * (self.size_before + self.last_size * self.copies) - sum_before
            logs[name] = (sum_before + sum_of_copies / self.copies) / (self.size_before + self.last_size)


class AverageWeights(keras.callbacks.SwapEMAWeights):
    """Gives the model its averaged weights from the end of an epoch to the start of the next.

    The moving statistics of batch normalization belong to the weights of the last steps, so they are computed anew for
    the averaged ones, from STATISTICS_BATCHES batches of training (Izmailov et al., UAI 2018). Training does not read
    them, so they are not put back.

    At the end of the last epoch Keras would also copy the averages so that weight and average share one array, which
    JAX then deletes. It needs no special case here, since KeepBest sets the weights afterwards.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__(swap_on_epoch=True)
        self.batches = batches

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        super().on_epoch_end(epoch=-1, logs=logs)
        numbers = range(min(STATISTICS_BATCHES, len(self.batches)))
        compute_statistics(self.model, (self.batches.read_replicated(number) for number in numbers))


def compute_statistics(model: keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Set the moving statistics of each BatchNormalization that trains to the means over `batches` of images."""
    norms = [
        layer for layer in all_layers(model) if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    momentums = [norm.momentum for norm in norms]
    for number, images in enumerate(batches if norms else ()):
        for norm in norms:
            norm.momentum = number / (number + 1)
        model(images, training=True)
    for norm, momentum in zip(norms, momentums, strict=True):
        norm.momentum = momentum


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
