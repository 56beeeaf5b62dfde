"""Validation by hand-worked numbers; the best epoch is the best in the measure's own direction."""

import keras
import numpy as np
import pytest

from skinlesion.runtime.params.sections import Train
from skinlesion.train.batches import Batches
from skinlesion.train.callbacks import MEASURES, CountOnce, Diverged, KeepBest, Validate
from skinlesion.train.fit import stopping
from skinlesion.train.machine.distribution import Distribution

# akiec akiec bcc mel: right with 0.8, taken for bcc (0.1 on akiec), right with 0.5, right with 0.4
LABELS = np.array([0, 0, 1, 4])
PROBABILITIES = np.array(
    [
        [0.8, 0.2, 0, 0, 0, 0, 0],
        [0.1, 0.7, 0, 0, 0.2, 0, 0],
        [0.3, 0.5, 0, 0, 0.2, 0, 0],
        [0.3, 0.3, 0, 0, 0.4, 0, 0],
    ]
)


class Fixed:
    """A model with given probabilities and one weight."""

    def __init__(self, probabilities: np.ndarray = PROBABILITIES):
        self.probabilities, self.weight, self.batches = probabilities, 0, []
        self.stop_training, self.optimizer = False, keras.optimizers.Adam(0.8)

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        start = sum(self.batches)
        self.batches.append(len(images))
        return self.probabilities[start : start + len(images)].astype("float32")

    def get_weights(self) -> list[int]:
        return [self.weight]

    def set_weights(self, weights: list[int]) -> None:
        (self.weight,) = weights


def validate(model: Fixed, loss: float = 1.0) -> dict:
    callback, logs = Validate(np.zeros((4, 2, 2, 3), np.uint8), LABELS, batch_size=3), {"loss": loss}
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, logs)
    return logs


def test_measures_by_hand_in_one_pass():
    model = Fixed()
    assert validate(model) == {
        "loss": 1.0,
        "val_loss": pytest.approx(-np.log([0.8, 0.1, 0.5, 0.4]).mean(), rel=1e-5),
        "val_accuracy": pytest.approx(3 / 4),
        "val_balanced_accuracy": pytest.approx((1 / 2 + 1 + 1) / 3),
        "val_roc_auc_macro": pytest.approx((2 / 4 + 2 / 3 + 1) / 3),
    }
    assert model.batches == [3, 1]
    assert set(MEASURES) == set(Train.model_fields["monitor"].annotation.__args__)


def test_a_certain_mistake_is_a_large_loss_not_an_infinite_one():
    assert 5 < validate(Fixed(np.eye(7)[[1, 1, 1, 1]]))["val_loss"] < 100


@pytest.mark.parametrize(
    ("loss", "probabilities"), [(np.nan, PROBABILITIES), (np.inf, PROBABILITIES), (1.0, np.full((4, 7), np.nan))]
)
def test_a_loss_or_probability_that_is_not_finite_is_an_error(loss, probabilities):
    with pytest.raises(Diverged, match=r"epoch 1: .*learning_rate"):
        validate(Fixed(probabilities), loss)


@pytest.mark.parametrize(
    ("monitor", "phases", "after"),
    [
        ("loss", [[0.5, 0.3, 0.9, 0.4]], [1]),
        ("balanced_accuracy", [[0.5, 0.3, 0.9, 0.4]], [2]),
        ("loss", [[0.3, 0.2, 0.2]], [1]),  # the first of equals
        ("accuracy", [[0.1, 0.6], [0.5, 0.4]], [1, 1]),  # over all phases
        ("accuracy", [[0.6, 0.1], [0.5, 0.7]], [0, 3]),
    ],
)
def test_each_phase_ends_with_the_best_weights_so_far(monitor, phases, after):
    """The model's weight is the number of the epoch."""
    model, epoch, weights = Fixed(), 0, []
    callback = KeepBest(monitor, model)
    for values in phases:
        for value in values:
            model.weight = epoch
            callback.on_epoch_end(epoch, {f"val_{monitor}": value})
            epoch += 1
        callback.on_train_end()
        weights.append(model.weight)
    assert weights == after


def run(callbacks: list, monitor: str, values: list[float]) -> list[float]:
    """Each epoch's learning rate, until the callbacks stop."""
    model, rates = Fixed(), []
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, value in enumerate(values):
        rates.append(round(float(model.optimizer.learning_rate), 6))
        for callback in callbacks:
            callback.on_epoch_end(epoch, {f"val_{monitor}": value})
        if model.stop_training:
            break
    return rates


@pytest.mark.parametrize("number", [3, 8, 19])
def test_a_last_batch_that_devices_repeat_counts_once_in_the_loss_of_an_epoch(number: int) -> None:
    losses = np.random.default_rng(0).random(number)  # of each image
    batches = Batches(losses, np.zeros(number, int), 8, 5, distribution=Distribution(["one"] * 4))
    count_once, rows = CountOnce(batches), []
    for index in range(len(batches)):
        rows.extend(batches[index][0])
        count_once.on_train_batch_end(index, {"loss": np.mean(rows)})  # as Keras counts
    logs = {"loss": np.mean(rows)}
    count_once.on_epoch_end(0, logs)
    np.testing.assert_allclose(logs["loss"], losses.mean())


def test_an_epoch_that_a_loss_of_nan_ends_keeps_it() -> None:
    batches = Batches(np.zeros(19), np.zeros(19, int), 8, 5, distribution=Distribution(["one"] * 4))
    count_once, logs = CountOnce(batches), {"loss": np.nan}
    count_once.on_train_batch_end(0, logs)
    count_once.on_epoch_end(0, logs)
    assert np.isnan(logs["loss"])


UP, DOWN = [0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(("monitor", "better", "worse"), [("loss", DOWN, UP), ("balanced_accuracy", UP, DOWN)])
def test_stopping_and_slowing_follow_the_measures_direction_and_null_does_neither(monitor, better, worse, train_params):
    section = train_params(monitor=monitor, early_stopping=3, reduce_learning_rate={"patience": 1, "factor": 0.5})
    assert run(stopping(section), monitor, better) == [0.8] * 5
    assert run(stopping(section), monitor, worse) == [0.8, 0.8, 0.4, 0.2]
    assert run(stopping(train_params(monitor=monitor)), monitor, worse) == [0.8] * 5
