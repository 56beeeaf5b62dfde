"""Train: one backbone in one configuration; the best epoch on validation becomes models/model.keras."""

import math

from skinlesion import backend, params, paths, processor  # backend first: it starts Keras quietly
from skinlesion.data import dataset, tables
from skinlesion.files import write_json
from skinlesion.model import bundle
from skinlesion.model.build import build
from skinlesion.predict import probabilities
from skinlesion.stage import run
from skinlesion.training import determinism, devices, options, resume
from skinlesion.training.calibrate import calibrate
from skinlesion.training.fit import fit, summary


def main() -> dict:
    settings = params.load()
    if settings.train.deterministic:
        determinism.enable()
    device = devices.choose(settings.train.device)
    backend.keras.utils.set_random_seed(settings.seed)
    precision = devices.choose_precision(settings.train.precision, device)
    print(
        f"train: {settings.model.backbone}, configuration {settings.model.configuration}, {precision} on {device} "
        f"({processor.describe()})"
    )

    table = tables.read(paths.SPLITS)
    train, validation = (dataset.load(table, split)[1:] for split in ("train", "validation"))
    rows = settings.backbone, settings.head, settings.images.size
    attention = settings.model.attention
    model = build(*rows, settings.model.weights, precision, attention)
    key = resume.key_of(settings, model, (*train, *validation), device=device, precision=precision)
    with resume.progress(key) as progress:
        history, best_epoch = fit(model, train, validation, settings.phases, settings.train, settings.seed, progress)
        # Saved in float32, it predicts the same on every machine.
        final = build(*rows, weights=None, attention=attention)
        final.set_weights(model.get_weights())
        validated = probabilities(final, validation[0], settings.train.batch_size)
        class_weight = options.CLASS_WEIGHTS[settings.train.class_weights](train[1])
        calibration = calibrate(table, validation[1], validated, class_weight)
        bundle.save(final, calibration, settings.images.fit, paths.MODEL)
        tables.write(paths.HISTORY, history, float_format="%.6g")
        trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        metrics = {
            "parameters": final.count_params(),
            "trainable_parameters": trainable,
            **summary(history, best_epoch),
            "device": device,
            "precision": precision,
            "processor": processor.describe(),
        }
        write_json(paths.TRAIN_METRICS, metrics)
    said = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in metrics["validation"].items())
    print(f"train: best epoch {best_epoch} of {len(history)}: {said}; temperature {calibration.temperature:.2f}")
    return metrics


if __name__ == "__main__":
    run(main, "train")
