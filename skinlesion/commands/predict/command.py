"""classify images and folders of images with a trained model"""

import argparse
import sys
from pathlib import Path

from skinlesion.core.ham10000 import CODES
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

IMAGES = "image files, and folders that are searched for image files"
MODEL = "the trained model (default: %(default)s)"
CSV = "also write a CSV: path, predicted, unlike_training, seven probabilities; only a CSV of predict is replaced"
GRADCAM = "also write a Grad-CAM picture of the predicted class for each image; only pictures of predict are replaced"
TOP = "number of classes printed for each image, 1 to 7 (default: %(default)s)"
TTA = "8: average over eight rotated and mirrored views of each image; 8 times slower (default: %(default)s)"
PRINTED = 20  # images printed where a CSV holds all of them


def run(arguments: argparse.Namespace) -> int:
    """Predict, write and print. Return the exit code: 1 if an image could not be read, else 0."""
    from skinlesion.commands import outputs
    from skinlesion.commands.predict import image_files
    from skinlesion.model import model_file

    files = image_files.find_images(arguments.images, arguments.gradcam)
    model_file.read_metadata(arguments.model)
    if arguments.csv:
        outputs.check_file(arguments.csv, [*files, arguments.model], outputs.CSV)
    if arguments.gradcam:
        outputs.check_pictures(arguments.gradcam)

    # These imports load Keras, which takes seconds, so they come after all checks.
    import pandas as pd
    from tqdm import tqdm

    from skinlesion.commands.predict import outcome
    from skinlesion.core import tables
    from skinlesion.explain import gradcam
    from skinlesion.model import bundle, classify

    trained = bundle.load(arguments.model)
    explainer = gradcam.Explainer(trained.model) if arguments.gradcam else None
    names = image_files.unique_names(files)
    parts, bad = [], []
    with tqdm(total=len(files), desc="predicting", unit="image", disable=None if len(files) > 1 else True) as bar:
        for batch in classify.batches(trained, files, arguments.tta):
            if batch.files:
                parts.append(outcome.make_table(batch))
            if batch.files and explainer:
                outcome.write_pictures(trained, explainer, batch, arguments.gradcam, names)
            bad += batch.bad
            bar.update(len(batch.files) + len(batch.bad))
    for error in bad:
        print(f"skipped: {outcome.printable(error)}", file=sys.stderr)
    if not parts:
        raise UserError("No image could be read, so nothing was written. Give at least one whole image file")

    table = pd.concat(parts, ignore_index=True)
    if arguments.csv:
        tables.write(arguments.csv, table)
    print(outcome.describe(table, arguments.top, PRINTED if arguments.csv else None))
    for content, path in (("probabilities", arguments.csv), ("Grad-CAM pictures", arguments.gradcam)):
        if path:
            print(f"{content} of {outcome.count_images(len(table))}: {path}")
    print(classify.RESEARCH_ONLY)
    return 1 if bad else 0


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help=IMAGES)
    parser.add_argument("--model", type=Path, default=paths.MODEL, metavar="PATH", help=MODEL)
    parser.add_argument("--csv", type=Path, metavar="FILE", help=CSV)
    parser.add_argument("--gradcam", type=Path, metavar="FOLDER", help=GRADCAM)
    parser.add_argument("--top", type=int, choices=range(1, len(CODES) + 1), default=3, metavar="N", help=TOP)
    parser.add_argument("--tta", type=int, choices=(1, 8), default=1, help=TTA)
    parser.set_defaults(function=run)
