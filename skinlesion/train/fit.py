"""Training: the phases of a configuration, one after the other, each from the best weights so far."""

import sys

import numpy as np
import pandas as pd

from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Train
from skinlesion.train import augmentation, features, options, schedules
from skinlesion.train.batches import Batches
from skinlesion.train.callbacks import KeepBest, MovingAverages, Validate, mode
from skinlesion.train.machine import kernels
from skinlesion.train.network import freeze
from skinlesion.train.resume.progress import Follow, Progress

Images = tuple[np.ndarray, np.ndarray]  # uint8 (N, H, W, 3), labels (N,) as numbers of CODES


def fit(
    model: keras.Model,
    train: Images,
    validation: Images,
    phases: list[Phase],
    how: Train,
    seed: int,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, int]:
    """Train `model` in place; it ends with the weights of its best epoch on validation.

    Args:
        progress: where an earlier run of the same training stood, to go on from there; None: it begins.

    Returns:
        the history, a row per epoch: epoch (from 1, over all phases), phase (from 1), learning_rate, loss,
        accuracy, and val_ of each measure; and the best epoch.

    Raises:
        UserError: the loss or a probability is no longer a number; a class has no training images, where they are
            weighed; a phase names a layer that the backbone lacks.
    """
    backbone = model.get_layer("backbone")
    freeze.check(backbone, phases)
    class_weight = options.CLASS_WEIGHTS[how.class_weights](train[1])
    augmented = augmentation.before(model, how.augmentation, seed)
    best, progress = KeepBest(how.monitor, model), progress or Progress()
    progress.restore([model, augmented])  # already here, since features hang on them
    for number, phase in enumerate(phases, start=1):
        if number < progress.phase:
            continue
        progress.stopped = progress.stopped and number == progress.phase
        progress.phase, start, done = number, progress.before(number), len(progress.history)
        epochs = min(phase.epochs, how.max_epochs or phase.epochs)
        what = phase.train if isinstance(phase.train, str) else f"from layer {phase.train} on"
        print(f"phase {number} of {len(phases)} (trains: {what}), at most {epochs} epochs", flush=True)
        freeze.apply(backbone, phase, phases)
        trained, seen, checked = augmented, train, validation
        if features.fixed(model, phase, how):
            body, trained = features.split(model)
            seen, checked = (
                (features.of(body, images, how.batch_size, name), labels)
                for name, (images, labels) in {"train": train, "validation": validation}.items()
            )
        trained.compile(
            optimizer=options.optimizer(how, phase.learning_rate),
            loss=options.loss(how.label_smoothing),
            metrics=["accuracy"],
        )
        batches = Batches(*seen, how.batch_size, seed)
        callbacks = [
            *averaging(how),
            Validate(*checked, how.batch_size),
            best,
            *scheduling(how, phase, epochs, start),
            *stopping(how),
        ]
        follow = Follow(progress, [model, augmented], best, callbacks, phase.learning_rate)
        with kernels.fast(trained):
            trained.fit(
                batches,
                shuffle=False,  # the batches shuffle themselves
                class_weight=class_weight,
                initial_epoch=done,
                epochs=done if progress.stopped else start + epochs,
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=batches.start), *callbacks, follow],
                verbose=1 if sys.stdout.isatty() else 2,
            )
    return pd.DataFrame(progress.history), best.epoch + 1


def summary(history: pd.DataFrame, best_epoch: int) -> dict:
    """What metrics/train.json says of a history as `fit` gives it."""
    best = history.iloc[best_epoch - 1].filter(like="val_")
    return {
        "epochs": len(history),
        "best_epoch": best_epoch,
        "validation": {name.removeprefix("val_"): round(float(value), 4) for name, value in best.items()},
    }


def averaging(how: Train) -> list[keras.callbacks.Callback]:
    """Puts the weights' moving averages in place at the end of an epoch, for validation and for keeping."""
    return [MovingAverages()] if how.ema else []


def scheduling(how: Train, phase: Phase, epochs: int, start: int) -> list[keras.callbacks.Callback]:
    """Sets the learning rate of each epoch, unless it is the phase's own throughout."""
    factors = schedules.factors(how.schedule, how.warmup_epochs, epochs)
    return [schedules.Schedule(phase.learning_rate, factors, start)] if set(factors) != {1.0} else []


def stopping(how: Train) -> list[keras.callbacks.Callback]:
    """The callbacks that end a phase or slow it down."""
    watched = {"monitor": f"val_{how.monitor}", "mode": mode(how.monitor)}
    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.TerminateOnNaN()]
    if how.reduce_learning_rate:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(**how.reduce_learning_rate.model_dump(), **watched))
    if how.early_stopping:
        callbacks.append(keras.callbacks.EarlyStopping(patience=how.early_stopping, **watched))
    return callbacks
