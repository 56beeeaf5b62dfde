"""Training: the phases of a configuration, one after the other, each from the best weights so far."""

import sys
from contextlib import nullcontext

import numpy as np
import pandas as pd

from skinlesion.model.backend import keras
from skinlesion.runtime.params.rows import Phase
from skinlesion.runtime.params.sections import Train
from skinlesion.train import augmentation, features, options, schedules
from skinlesion.train.batches import Batches
from skinlesion.train.callbacks import MEASURES, AverageWeights, CountOnce, KeepBest, Validate
from skinlesion.train.machine import backends
from skinlesion.train.machine.distribution import SINGLE_DEVICE, Distribution
from skinlesion.train.network import freeze
from skinlesion.train.resume.progress import Follow, Progress

Images = tuple[np.ndarray, np.ndarray]  # uint8 (N, H, W, 3), labels (N,) as numbers of CODES


def fit(
    model: keras.Model,
    train: Images,
    validation: Images,
    phases: list[Phase],
    params: Train,
    seed: int,
    progress: Progress | None = None,
    distribution: Distribution = SINGLE_DEVICE,
) -> tuple[pd.DataFrame, int]:
    """Train `model` in place; it ends with the weights of its best epoch on validation.

    Args:
        progress: of an interrupted run of the same training, to resume it.
        distribution: the devices; `model` was built, and this is called, in its scope.

    Returns:
        the history, a row per epoch: epoch (from 1, over all phases), phase (from 1), learning_rate, loss,
        accuracy, and val_ of each measure; and the best epoch.

    Raises:
        UserError: the training diverged; a class has no training images but needs a weight; a phase names a layer
            that the backbone lacks.
    """
    backbone = model.get_layer("backbone")
    freeze.check(backbone, phases)
    distribution.prepare(model)
    class_weight = options.CLASS_WEIGHTS[params.class_weights](train[1])
    augmented = augmentation.prepend(model, params.augmentation, seed)
    best, progress = KeepBest(params.monitor, model), progress or Progress()
    progress.restore([model, augmented])  # before features are extracted, which depend on the weights
    for number, phase in enumerate(phases, start=1):
        if number < progress.phase:
            continue
        progress.stopped = progress.stopped and number == progress.phase
        progress.phase, done = number, len(progress.history)
        start = sum(row["phase"] < number for row in progress.history)  # epochs of the phases before
        epochs = min(phase.epochs, params.max_epochs or phase.epochs)
        part = phase.train if isinstance(phase.train, str) else f"from layer {phase.train} on"
        if not distribution.index:
            print(f"phase {number} of {len(phases)} (trains: {part}), at most {epochs} epochs", flush=True)
        freeze.apply(backbone, phase)
        trained, inputs, validation_inputs = augmented, train, validation
        if features.are_fixed(model, phase, params):
            body, trained = features.split(model)
            body = distribution.predictor(body)
            inputs, validation_inputs = (
                (features.extract(body, images, params.batch_size, name), labels)
                for name, (images, labels) in {"train": train, "validation": validation}.items()
            )
        trained.compile(
            optimizer=options.make_optimizer(params, phase.learning_rate),
            loss=options.make_loss(params, train[1]),
            metrics=["accuracy"],
        )
        batches = Batches(*inputs, params.batch_size, seed, params.sampling, params.mix, distribution, class_weight)
        factors = schedules.factors(params.schedule, params.warmup_epochs, epochs)
        callbacks = [
            *([CountOnce(batches)] if distribution.is_shared else []),
            *([AverageWeights(batches)] if params.ema else []),
            Validate(*validation_inputs, params.batch_size, distribution),
            best,
            *schedules.make_callbacks(phase.learning_rate, factors, start),
            *stopping(params),
        ]
        follow = Follow(progress, [model, augmented], best, callbacks)
        is_fused = params.kernels == "fused" and not distribution.is_shared
        with backends.current.fused(trained) if is_fused else nullcontext():
            trained.fit(
                batches,
                shuffle=False,  # the batches shuffle themselves
                class_weight=None if distribution.is_shared else class_weight,
                initial_epoch=done,
                epochs=done if progress.stopped else start + epochs,
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=batches.start), *callbacks, follow],
                verbose=0 if distribution.index else 1 if sys.stdout.isatty() else 2,
            )
    return pd.DataFrame(progress.history), best.epoch + 1


def summarize(history: pd.DataFrame, best_epoch: int) -> dict:
    """The entries of metrics/train.json that follow from a history of `fit`."""
    best = history.iloc[best_epoch - 1].filter(like="val_")
    return {
        "epochs": len(history),
        "best_epoch": best_epoch,
        "validation": {name.removeprefix("val_"): round(float(value), 4) for name, value in best.items()},
    }


def stopping(params: Train) -> list[keras.callbacks.Callback]:
    """The callbacks that end a phase or lower its learning rate."""
    watched = {"monitor": f"val_{params.monitor}", "mode": "max" if MEASURES[params.monitor][1] else "min"}
    callbacks: list[keras.callbacks.Callback] = [keras.callbacks.TerminateOnNaN()]
    if params.reduce_learning_rate:
        callbacks.append(keras.callbacks.ReduceLROnPlateau(**params.reduce_learning_rate.model_dump(), **watched))
    if params.early_stopping:
        callbacks.append(keras.callbacks.EarlyStopping(patience=params.early_stopping, **watched))
    return callbacks
