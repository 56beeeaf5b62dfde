"""Validation by hand-worked numbers; the best epoch is the best in the measure's own direction."""

import keras
import numpy as np
import pytest

from skinlesion.runtime.errors import UserError
from skinlesion.train.callbacks import KeepBest, Validate, mode
from skinlesion.train.fit import stopping

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


class Said:
    """A model that says what it is told, and has one weight."""

    def __init__(self, probabilities: np.ndarray = PROBABILITIES):
        self.probabilities, self.weight, self.asked = probabilities, 0, []
        self.stop_training, self.optimizer = False, keras.optimizers.Adam(0.8)

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        self.asked.append(len(images))
        start = sum(self.asked[:-1])
        return self.probabilities[start : start + len(images)].astype("float32")

    def get_weights(self) -> list[int]:
        return [self.weight]

    def set_weights(self, weights: list[int]) -> None:
        (self.weight,) = weights


def validated(model: Said, loss: float = 1.0) -> dict:
    callback, logs = Validate(np.zeros((4, 2, 2, 3), np.uint8), LABELS, batch_size=3), {"loss": loss}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    return logs


def test_measures_by_hand():
    logs = validated(Said())
    assert logs["val_accuracy"] == pytest.approx(3 / 4)
    assert logs["val_balanced_accuracy"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert logs["val_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.1) + np.log(0.5) + np.log(0.4)) / 4, rel=1e-5)
    assert logs["loss"] == 1.0
    assert len(logs) == 4


def test_validation_is_one_pass_in_batches():
    model = Said()
    validated(model)
    assert model.asked == [3, 1]


def test_a_certain_mistake_is_a_large_loss_not_an_infinite_one():
    model = Said(np.eye(7)[[1, 1, 1, 1]])
    assert 5 < validated(model)["val_loss"] < 100


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_no_number_is_an_error(loss):
    with pytest.raises(UserError, match=r"the loss of epoch 1 .*learning_rate"):
        validated(Said(), loss)


def test_probabilities_that_are_no_numbers_are_an_error():
    with pytest.raises(UserError, match="learning_rate"):
        validated(Said(np.full((4, 7), np.nan)))


def test_modes():
    assert [mode(name) for name in ("loss", "accuracy", "balanced_accuracy")] == ["min", "max", "max"]


def watch(monitor: str, phases: list[list[float]]) -> tuple[KeepBest, list[int]]:
    """Show the callback the values of epochs; the model's weight is the epoch's number. Its weight after each phase."""
    model, epoch, after = Said(), 0, []
    callback = KeepBest(monitor, model)
    for values in phases:
        for value in values:
            model.weight = epoch
            callback.on_epoch_end(epoch, {f"val_{monitor}": value})
            epoch += 1
        callback.on_train_end()
        after.append(model.weight)
    return callback, after


@pytest.mark.parametrize(
    ("monitor", "best"), [("loss", 1), ("accuracy", 2), ("balanced_accuracy", 2)], ids=["loss", "accuracy", "balanced"]
)
def test_the_best_weights_are_kept(monitor, best):
    callback, after = watch(monitor, [[0.5, 0.3, 0.9, 0.4]])
    assert (callback.epoch, after) == (best, [best])


def test_the_first_of_equals_is_kept():
    assert watch("loss", [[0.3, 0.2, 0.2]])[1] == [1]


def test_the_best_is_over_all_phases():
    assert watch("accuracy", [[0.1, 0.6], [0.5, 0.4]])[1] == [1, 1]
    assert watch("accuracy", [[0.6, 0.1], [0.5, 0.7]])[1] == [0, 3]


def run(callbacks: list, monitor: str, values: list[float]) -> tuple[int, list[float]]:
    """Show callbacks the values of epochs; after how many they stop, and each epoch's learning rate."""
    model, rates = Said(), []
    for callback in callbacks:
        callback.set_model(model)
        callback.on_train_begin()
    for epoch, value in enumerate(values):
        rates.append(round(float(model.optimizer.learning_rate), 6))
        for callback in callbacks:
            callback.on_epoch_end(epoch, {f"val_{monitor}": value})
        if model.stop_training:
            break
    return len(rates), rates


UP, DOWN = [0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(("monitor", "better", "worse"), [("loss", DOWN, UP), ("balanced_accuracy", UP, DOWN)])
def test_stopping_and_slowing_go_by_the_measures_direction(monitor, better, worse, how):
    def callbacks() -> list:
        return stopping(how(monitor=monitor, early_stopping=3, reduce_learning_rate={"patience": 1, "factor": 0.5}))

    assert run(callbacks(), monitor, better) == (5, [0.8] * 5)
    assert run(callbacks(), monitor, worse) == (4, [0.8, 0.8, 0.4, 0.2])


def test_null_never_stops_or_slows(how):
    assert run(stopping(how()), "loss", UP) == (5, [0.8] * 5)
