"""what a trained model says of images and folders of images"""

import argparse
import sys
from pathlib import Path

from skinlesion.core.ham10000 import CODES
from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

IMAGES = "picture files, and folders of them"
MODEL = "the trained model (default: %(default)s)"
CSV = (
    "also write path, predicted and the seven probabilities of every image to this file, which must be new or a CSV "
    "that predict wrote"
)
GRADCAM = (
    "also write a picture of each image, with what spoke for the predicted diagnosis coloured, to this folder, which "
    "must be new or hold only files that predict wrote"
)
TOP = "diagnoses shown for each image, 1 to 7 (default: %(default)s)"
TTA = "8: average over the eight turned and mirrored views of each image; 8 times slower (default: %(default)s)"
SHOWN = 20  # images in the table on the screen where a CSV holds them all


def predict(arguments: argparse.Namespace) -> int:
    """Check what can be checked before Keras is loaded, which takes seconds; then `run`."""
    from skinlesion.commands import outputs
    from skinlesion.commands.predict import inputs
    from skinlesion.model import model_file

    files = inputs.find(arguments.images, outside=arguments.gradcam)
    model_file.read_ours(arguments.model)
    if arguments.csv:
        outputs.check_file(arguments.csv, [*files, arguments.model], outputs.CSV)
    if arguments.gradcam:
        outputs.check_pictures(arguments.gradcam, arguments.csv)
    return run(files, arguments)


def run(files: list[Path], arguments: argparse.Namespace) -> int:
    """Predict, write, print; 1 where an image could not be read."""
    from tqdm import tqdm

    from skinlesion.commands.predict import heat_pictures, inputs, predicted
    from skinlesion.core import tables
    from skinlesion.explain import gradcam
    from skinlesion.model import bundle, classify

    trained = bundle.load(arguments.model)
    explainer = gradcam.Explainer(trained.model) if arguments.gradcam else None
    names = dict(zip(files, inputs.names(files), strict=True))
    parts, bad = [], []
    with tqdm(total=len(files), desc="predicting", unit="image", disable=None if len(files) > 1 else True) as bar:
        for batch in classify.batches(trained, files, arguments.tta):
            if explainer and batch.files:
                heat_pictures.write(trained, explainer, batch, arguments.gradcam, [names[file] for file in batch.files])
            parts.append(predicted.table(batch))
            bad += batch.bad
            bar.update(len(batch.files) + len(batch.bad))
    for one in bad:
        print(f"skipped: {predicted.printable(one)}", file=sys.stderr)
    if len(bad) == len(files):
        raise UserError("none of the images could be read; nothing was written")

    found = predicted.join(parts)
    if arguments.csv:
        tables.write(arguments.csv, found)
    print(predicted.for_people(found, arguments.top, SHOWN if arguments.csv else None))
    for what, where in (("probabilities", arguments.csv), ("Grad-CAM pictures", arguments.gradcam)):
        if where:
            print(f"{what} of {len(found)} image{'s' * (len(found) > 1)}: {where}")
    print(classify.RESEARCH_ONLY)
    return 1 if bad else 0


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE_OR_FOLDER", help=IMAGES)
    parser.add_argument("--model", type=Path, default=paths.MODEL, metavar="PATH", help=MODEL)
    parser.add_argument("--csv", type=Path, metavar="OUT", help=CSV)
    parser.add_argument("--gradcam", type=Path, metavar="FOLDER", help=GRADCAM)
    parser.add_argument("--top", type=int, choices=range(1, len(CODES) + 1), default=3, metavar="N", help=TOP)
    parser.add_argument("--tta", type=int, choices=(1, 8), default=1, help=TTA)
    parser.set_defaults(function=predict)
