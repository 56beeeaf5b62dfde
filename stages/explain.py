"""Explain: sheets of test images with predictions and what the model looked at (Grad-CAM), and of near duplicates."""

import pandas as pd

from skinlesion.core import origin, tables
from skinlesion.core.ham10000 import CODES
from skinlesion.explain import choices, pictures
from skinlesion.model import dataset, predictions
from skinlesion.runtime import params, paths
from skinlesion.runtime.entry import run
from skinlesion.runtime.files import replace_folder
from skinlesion.sheets import sheet


def main() -> pd.DataFrame:
    settings = params.load()
    rows = choices.rank_predictions(predictions.select_split(tables.read(paths.PREDICTIONS), "test"))
    from skinlesion.explain.gradcam import Explainer
    from skinlesion.model import bundle

    samples, mistakes = choices.choose_samples(rows), choices.choose_mistakes(rows)
    explained = choices.choose_explained(rows)
    shown = dataset.read_images(list(explained["path"]), "explaining")
    heat = Explainer(bundle.load(paths.MODEL).model).heatmaps(shown, explained["predicted"].map(CODES.index).to_numpy())

    source = origin.title(settings.data.source)
    pairs, dx = tables.read(paths.NEAR_DUPLICATES), tables.read(paths.METADATA).set_index("image_id")["dx"]
    split = f"{len(rows):,} test images, protocol {settings.split.protocol}. "
    near = pictures.near_duplicates(pairs, dx, paths.MERGED_IMAGES)
    sheets = {
        "samples": ("Predictions", pictures.samples(samples, rows), split + pictures.SAMPLES_NOTE),
        "mistakes": ("The most confident mistakes", pictures.mistakes(mistakes), split + pictures.mistakes_note(rows)),
        "gradcam": ("Grad-CAM", pictures.gradcam(explained, rows, heat), split + pictures.gradcam_note(heat)),
        "near_duplicates": ("Near duplicates", near, pictures.near_note(pairs, settings.split.protocol)),
    }
    with replace_folder(paths.EXPLAIN_PLOTS) as target:
        for name, (title, content, note) in sheets.items():
            sheet.write(content, target / f"{name}.png", f"{title}. {source}", note)
    print(f"explain: {(~rows['right']).sum()} mistakes on {len(rows)} test images; see {paths.EXPLAIN_PLOTS}")
    return rows


if __name__ == "__main__":
    run(main, "explain")
