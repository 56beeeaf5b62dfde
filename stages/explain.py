"""Explain: sheets of test images with what the model said of them, right and wrong, and what it looked at."""

import pandas as pd

from skinlesion import params, paths
from skinlesion.classes import CODES
from skinlesion.data import images, origin, sheet, tables
from skinlesion.evaluation import choices, pictures, predictions
from skinlesion.files import replace_folder
from skinlesion.stage import run


def main() -> pd.DataFrame:
    settings = params.load()
    from skinlesion.model import bundle, gradcam  # bundle first: it starts Keras quietly

    rows = choices.judged(predictions.of(tables.read(paths.PREDICTIONS), "test"))
    samples, mistakes, explained = choices.samples(rows), choices.mistakes(rows), choices.explained(rows)
    model = bundle.load(paths.MODEL).model
    shown = images.load(list(explained["path"]), "explaining")
    heat = gradcam.heatmaps(model, shown, explained["predicted"].map(CODES.index).to_numpy())

    source = origin.title(settings.data.source)
    split = f"{len(rows):,} test images, protocol {settings.split.protocol}. "
    sheets = {
        "samples": ("Predictions", pictures.samples(samples, rows), pictures.SAMPLES_NOTE),
        "mistakes": ("The most confident mistakes", pictures.mistakes(mistakes), pictures.mistakes_note(rows)),
        "gradcam": ("Grad-CAM", pictures.gradcam(explained, rows, heat), pictures.gradcam_note(heat)),
    }
    with replace_folder(paths.EXPLAIN_PLOTS) as target:
        for name, (title, content, note) in sheets.items():
            sheet.write(content, target / f"{name}.png", f"{title}. {source}", split + note)
    print(f"explain: {(~rows['right']).sum()} mistakes on {len(rows)} test images, {paths.EXPLAIN_PLOTS} shows some")
    return rows


if __name__ == "__main__":
    run(main, "explain")
