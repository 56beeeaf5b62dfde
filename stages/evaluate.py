"""Evaluate: the one stage that opens the test split; predictions, metrics and plots."""

import pandas as pd

from skinlesion import params, paths
from skinlesion.data import dataset, tables
from skinlesion.evaluation import metrics, plots, predictions
from skinlesion.files import replace_folder, write_json
from skinlesion.model import bundle
from skinlesion.predict import probabilities
from skinlesion.stage import run


def main() -> dict:
    settings = params.load()
    rows, images, _ = dataset.load(tables.read(paths.SPLITS), "test")
    model = bundle.load(paths.MODEL)
    table = predictions.table(rows, probabilities(model, images, settings.evaluate.batch_size, "predicting"))
    tables.write(paths.PREDICTIONS, table)

    truth, predicted = predictions.arrays(tables.read(paths.PREDICTIONS))
    figures = {
        "protocol": settings.split.protocol,
        **{name: round(float(value), 4) for name, value in metrics.headline(truth, predicted).items()},
    }
    with replace_folder(paths.EVALUATE_PLOTS) as target:
        for name, make in plots.TABLES.items():
            plot = make(truth, predicted)
            tables.write(target / f"{name}.csv", plot, float_format="%.4g")
    write_json(paths.TEST_METRICS, figures)

    print(pd.DataFrame(metrics.per_class(truth, predicted)).T.round(3).to_string())
    print(
        f"evaluate: balanced accuracy {figures['balanced_accuracy']:.3f}, accuracy {figures['accuracy']:.3f} "
        f"on {len(table)} test images, protocol {figures['protocol']}"
    )
    return figures


if __name__ == "__main__":
    run(main, "evaluate")
