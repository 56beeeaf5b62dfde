"""Train: one backbone in one configuration; the best epoch on validation becomes models/model.keras."""

import math

from skinlesion.core import tables
from skinlesion.core.ham10000 import CODES
from skinlesion.model import dataset
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import write_json
from skinlesion.train.machine import processor


def main() -> dict:
    settings = params.load()
    from skinlesion.model import bundle
    from skinlesion.model.backend import keras
    from skinlesion.model.predict import probabilities
    from skinlesion.train import calibrate, options, reference
    from skinlesion.train.fit import fit, summarize
    from skinlesion.train.machine import backends, devices, hosts
    from skinlesion.train.network import build
    from skinlesion.train.resume.key import hash_training, kept_progress

    if settings.train.deterministic:
        backends.current.enable_determinism()
    keras.utils.set_random_seed(settings.seed)
    hosts.join()
    device = devices.choose(settings.train.device)
    distributed = devices.distribute(settings.train.devices, device, settings.train.batch_size)
    precision = devices.choose_precision(settings.train.precision, device)
    print(
        f"train: {settings.model.backbone}, configuration {settings.model.configuration}, {precision} on "
        f"{distributed.name(device)} ({processor.describe()})"
    )

    table = tables.read(paths.SPLITS)
    train, validation = (dataset.load(table, split) for split in ("train", "validation"))
    rows = settings.backbone, settings.head, settings.images.size
    with distributed.scope():
        model = build.build(*rows, settings.model.weights, precision, settings.model.attention)
        machine = {"device": device, "precision": precision, "devices": str(len(distributed.devices))}
        if device == "cpu":
            machine["processor"] = processor.describe()
        key = hash_training(settings, model, (*train, *validation), **machine)
    with kept_progress(key, distributed) as progress:
        with distributed.scope():
            parts = model, train, validation, settings.phases, settings.train, settings.seed
            history, best_epoch = fit(*parts, progress, distributed)
        # In float32 the saved model predicts the same on every machine.
        final = build.build(*rows, weights=None, attention=settings.model.attention)
        final.set_weights(model.get_weights())
        metrics = {
            "parameters": final.count_params(),
            "trainable_parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
            **summarize(history, best_epoch),
            "device": device,
            **distributed.describe(),
            "precision": precision,
            "processor": processor.describe(),
        }
        validated = probabilities(final, validation[0], settings.train.batch_size)
        trained = options.effective_frequencies(settings.train, train[1])
        calibration = calibrate.calibrate(table, validation[1], validated, trained)
        likeness = reference.fit_reference(table, tables.read(paths.METADATA), train[0], validation[0])
        if distributed.index:  # it ends with process 0, for which JAX would not wait longer than five minutes
            return metrics
        bundle.save(bundle.Bundle(final, calibration, settings.images.fit, likeness), paths.MODEL)
        tables.write(paths.HISTORY, history, float_format="%.6g")
        write_json(paths.TRAIN_METRICS, metrics)
    scores = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in metrics["validation"].items())
    print(f"train: best epoch {best_epoch} of {len(history)}: {scores}; temperature {calibration.temperature:.2f}")
    if len(predicted := set(validated.argmax(axis=1))) == 1:
        print(
            f"train: warning: every validation image is taken for {CODES[predicted.pop()]} in the best epoch "
            f"by train.monitor: {settings.train.monitor}. If val_balanced_accuracy in {paths.HISTORY} rises in "
            "another epoch, try train.monitor: balanced_accuracy, else another learning rate or ImageNet weights"
        )
    return metrics


if __name__ == "__main__":
    run(main, "train")
