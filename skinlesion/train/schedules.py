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
    """The factor of each epoch: equal steps up over `warmup` epochs, 1 in the next one, then the curve; never 0."""
    rising = [(epoch + 1) / (warmup + 1) for epoch in range(min(warmup, epochs))]
    left = epochs - len(rising)
    return rising + [SCHEDULES[schedule](epoch / left) for epoch in range(left)]


def make_callbacks(learning_rate: float, factors: list[float], start: int) -> list[keras.callbacks.Callback]:
    """The callback that sets the learning rate where the factor changes, and logs it; none if it is 1 throughout.

    Where the factor stays the same, a rate that ReduceLROnPlateau has lowered stays lowered.

    Args:
        start: number of the phase's first epoch, from 0 over all phases.
    """

    def rate_of(epoch: int, current: float) -> float:
        number = epoch - start
        changes = number == 0 or factors[number] != factors[number - 1]
        return learning_rate * factors[number] if changes else current

    return [keras.callbacks.LearningRateScheduler(rate_of)] if set(factors) != {1.0} else []
