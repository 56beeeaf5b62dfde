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
    split = f"{len(rows):,} test images, protocol {settings.split.protocol}. "
    sheets = {
        "samples": ("Predictions", pictures.samples(samples, rows), split + pictures.SAMPLES_NOTE),
        "mistakes": ("The most confident mistakes", pictures.mistakes(mistakes), split + pictures.mistakes_note(rows)),
        "gradcam": ("Grad-CAM", pictures.gradcam(explained, rows, heat), split + pictures.gradcam_note(heat)),
        "near_duplicates": ("Near duplicates", *near_duplicates(settings.split.protocol)),
    }
    with replace_folder(paths.EXPLAIN_PLOTS) as target:
        for name, (title, content, note) in sheets.items():
            sheet.write(content, target / f"{name}.png", f"{title}. {source}", note)
    print(f"explain: {(~rows['right']).sum()} mistakes on {len(rows)} test images; see {paths.EXPLAIN_PLOTS}")
    return rows


def near_duplicates(protocol: str) -> tuple[list[sheet.Row], str]:
    """Make the sheet of near duplicates within HAM10000, and between it and the external set, and its note."""
    within, across, splits = (tables.read(path) for path in (paths.NEAR_DUPLICATES, paths.EXTERNAL_PAIRS, paths.SPLITS))
    originals = splits.loc[~splits["augmented"], ["image_id", "split"]].set_axis(["image_id_2", "split_2"], axis=1)
    across = across.assign(split_1="external").merge(originals, on="image_id_2")
    dx = pd.concat(
        [tables.read(path).set_index("image_id")["dx"] for path in (paths.METADATA, paths.EXTERNAL_METADATA)]
    )
    content = [
        *pictures.near_duplicates(within, dx, (paths.MERGED_IMAGES, paths.MERGED_IMAGES)),
        *pictures.near_duplicates(across, dx, (paths.EXTERNAL_IMAGES, paths.MERGED_IMAGES)),
    ]
    return content, pictures.near_note(within, across, protocol)


if __name__ == "__main__":
    run(main, "explain")
