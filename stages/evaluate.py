"""Evaluate: predictions, metrics and the tables of the plots; the only stage that scores the test split."""

from pathlib import Path

import pandas as pd

from skinlesion.core import tables
from skinlesion.evaluate import decision, external, floors, results
from skinlesion.evaluate.intervals import name_unit
from skinlesion.model import dataset, predictions
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder, write_json


def main() -> dict:
    settings = params.load()
    from skinlesion.model import bundle
    from skinlesion.model.predict import probabilities

    how = settings.evaluate
    splits, metadata = tables.read(paths.SPLITS), tables.read(paths.METADATA)
    rows, about, near_copies = external.read(splits)
    splits, metadata = (pd.concat(both, ignore_index=True) for both in ((splits, rows), (metadata, about)))
    patients = floors.predict_patients(splits, metadata, settings.seed)
    trained = bundle.load(paths.MODEL)
    calibration, parts = trained.calibration, []
    for split in ("validation", "test", external.SPLIT):
        if split not in set(splits["split"]):
            continue
        images, labels = dataset.load(splits, split)
        raw = probabilities(trained.model, images, how.batch_size, f"predicting {split}", how.tta)
        if split == "validation":
            if how.tta > 1:  # an average of views is less confident
                calibration = calibration.refitted(labels, raw)
            exponent = decision.DECISIONS[how.decision](calibration, labels, raw)
        patient = patients[splits["split"] == split]
        parts.append(predictions.make_table(split, raw, calibration, exponent, patient, splits, metadata))
    tables.write(paths.PREDICTIONS, pd.concat(parts, ignore_index=True))
    describe_external(settings, near_copies)
    chosen = {"temperature": round(calibration.temperature, 3)}
    if how.decision != "raw":
        chosen["decision_exponent"] = exponent
    return describe(settings, chosen)


def describe_external(settings: params.Params, near_copies: dict[str, int]) -> None:
    """Write the metrics and tables of the external set, computed from predictions.csv alone."""
    table, source = tables.read(paths.PREDICTIONS), settings.external.source
    result = results.evaluate_external(table, settings.seed, settings.evaluate.bootstrap)
    scored = table[table["split"] == external.SPLIT]
    images = len(scored)
    counts = {
        "source": source,
        "images": images,
        "near_copies_left_out": near_copies["train"],
        "near_copies": near_copies,
    }
    intervals = {"intervals_by": name_unit(scored), "intervals": result.intervals} if images else {}
    write_json(paths.EXTERNAL_METRICS, {**counts, **result.figures, **intervals})
    write_tables(paths.EXTERNAL_PLOTS, result.tables)
    score = f"balanced accuracy {result.figures['balanced_accuracy']} on {images} images" if images else "not scored"
    copies = near_copies["train"]
    left_out = f"; {copies} near copies of training images are left out" if copies else ""
    print(f"evaluate: external set ({source}): {score}{left_out}")


def describe(settings: params.Params, chosen: dict[str, float]) -> dict:
    """Write all metrics and tables, from predictions.csv and `chosen` alone; return the content of metrics/test.json.

    Args:
        chosen: what validation has chosen, by name; written to metrics/test.json.
    """
    result = results.evaluate_test(tables.read(paths.PREDICTIONS), settings.seed, settings.evaluate.bootstrap)
    figures = {"source": settings.data.source, "protocol": settings.split.protocol, **chosen, **result.figures}
    write_tables(paths.EVALUATE_PLOTS, result.tables)
    write_json(paths.INTERVALS_METRICS, result.intervals)
    write_json(paths.TEST_METRICS, figures)

    print(result.tables["classes"].pivot(index="dx", columns="measure", values="value").round(3).to_string())
    low, high = result.intervals["balanced_accuracy"].values()
    interval = "no interval" if low is None else f"95% CI {low} to {high}"
    leaked = result.tables["leaks"].set_index("stratum")["images"]
    print(
        f"evaluate: balanced accuracy {figures['balanced_accuracy']} ({interval}), accuracy "
        f"{figures['accuracy']} on {leaked['all']} test images, protocol {figures['protocol']}; "
        f"{leaked['with a sibling in train']} of them leak"
    )
    return figures


def write_tables(folder: Path, content: dict[str, pd.DataFrame]) -> None:
    with replace_folder(folder) as target:
        for name, table in content.items():
            tables.write(target / f"{name}.csv", table, float_format="%.4g")


if __name__ == "__main__":
    run(main, "evaluate")
