"""Train: one backbone in one configuration; the best epoch on validation becomes models/model.keras."""

import math

from skinlesion import params, paths, processor
from skinlesion.data import dataset, tables
from skinlesion.files import write_json
from skinlesion.stage import run


def main() -> dict:
    settings = params.load()
    from skinlesion import backend  # first: it starts Keras quietly
    from skinlesion.model import build, bundle
    from skinlesion.predict import probabilities
    from skinlesion.training import calibrate, determinism, devices, options, resume
    from skinlesion.training.fit import fit, summary

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
    model = build.build(*rows, settings.model.weights, precision, settings.model.attention)
    key = resume.key_of(settings, model, (*train, *validation), device=device, precision=precision)
    with resume.progress(key) as progress:
        history, best_epoch = fit(model, train, validation, settings.phases, settings.train, settings.seed, progress)
        # Saved in float32, it predicts the same on every machine.
        final = build.build(*rows, weights=None, attention=settings.model.attention)
        final.set_weights(model.get_weights())
        validated = probabilities(final, validation[0], settings.train.batch_size)
        class_weight = options.CLASS_WEIGHTS[settings.train.class_weights](train[1])
        calibration = calibrate.calibrate(table, validation[1], validated, class_weight)
        bundle.save(final, calibration, settings.images.fit, paths.MODEL)
        tables.write(paths.HISTORY, history, float_format="%.6g")
        metrics = {
            "parameters": final.count_params(),
            "trainable_parameters": sum(math.prod(weight.shape) for weight in model.trainable_weights),
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
