"""two results on the same images: paired differences with intervals, and the images on which they disagree"""

import argparse
import re
from pathlib import Path

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

KIND = re.compile(rb"image_id,group,dx,predicted_a,predicted_b\n")  # the CSV of disagreements


def run(arguments: argparse.Namespace) -> None:
    """Find both predictions, compare them, print and write."""
    from skinlesion.commands import outputs, revisions, scored_split
    from skinlesion.commands.compare import paired
    from skinlesion.commands.compare.description import describe
    from skinlesion.core import tables
    from skinlesion.runtime import params

    settings = params.read_params()
    working_tree = paths.PREDICTIONS.as_posix()
    names = (arguments.a, arguments.b or working_tree)
    files = [paths.PREDICTIONS if name == working_tree else revisions.find_predictions(name) for name in names]
    if arguments.disagreements:
        outputs.check_file(arguments.disagreements, files, KIND)
    a, b = (scored_split.read_split(file, arguments.split, name) for file, name in zip(files, names, strict=True))
    try:
        comparison = paired.compare(a, b, settings.evaluate.bootstrap, settings.seed)
    except UserError as error:
        elsewhere = "" if arguments.split == "external" else ", or compare on the external set: --split external"
        raise UserError(f"{error}{elsewhere}") from None
    print(describe(comparison, *names, arguments.split))
    if arguments.disagreements:
        tables.write(arguments.disagreements, comparison.disagreements)
        print(f"{len(comparison.disagreements)} images with different predictions: {arguments.disagreements}")


def add(parser: argparse.ArgumentParser) -> None:
    kinds = "a branch, tag, commit, DVC experiment, or the path of a predictions.csv"
    parser.add_argument("a", metavar="A", help=kinds)
    b = f"the same (default: {paths.PREDICTIONS} as it is in the working tree)"
    parser.add_argument("b", nargs="?", metavar="B", help=b)
    splits = ("test", "validation", "external")
    parser.add_argument("--split", choices=splits, default=splits[0], help="default: %(default)s")
    disagreements = "also write a CSV of the images with different predictions; only a CSV of compare is replaced"
    parser.add_argument("--disagreements", type=Path, metavar="FILE", help=disagreements)
    parser.set_defaults(function=run)
