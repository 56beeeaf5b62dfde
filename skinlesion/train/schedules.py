"""The learning rate over the epochs of a phase: a warm-up, then a curve. One row of SCHEDULES per `train.schedule`."""

import math
from collections.abc import Callable

from skinlesion.model.backend import keras

# progress of the phase after its warm-up, from 0 to just below 1 -> factor of the phase's learning rate
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,  # Loshchilov and Hutter, ICLR 2017
}


def factors(schedule: str, warmup: int, epochs: int) -> list[float]:
    """The factor of each epoch: rising in equal steps over `warmup` epochs, 1 in the next one, then the curve.

    It is never 0, so no epoch is wasted.
    """
    rising = [(epoch + 1) / (warmup + 1) for epoch in range(min(warmup, epochs))]
    left = epochs - len(rising)
    return rising + [SCHEDULES[schedule](epoch / left) for epoch in range(left)]


class Schedule(keras.callbacks.Callback):
    """Sets the learning rate where the schedule changes it, and notes it in the epoch's logs.

    Where the factor stays as it was, the rate is left alone: ReduceLROnPlateau may have lowered it.

    Args:
        start: number of the phase's first epoch, from 0 over all phases.
    """

    def __init__(self, learning_rate: float, factors: list[float], start: int):
        super().__init__()
        self.rate, self.factors, self.start = learning_rate, factors, start

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        number = epoch - self.start
        if number == 0 or self.factors[number] != self.factors[number - 1]:
            self.model.optimizer.learning_rate = self.rate * self.factors[number]

    def on_epoch_end(self, epoch: int, logs: dict) -> None:
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
