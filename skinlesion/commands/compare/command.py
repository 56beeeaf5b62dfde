"""two results, or the seeds of two, on the same images: paired differences with intervals, and disagreements"""

import argparse
import re
from pathlib import Path

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

KIND = re.compile(rb"image_id,group,dx,predicted_a,predicted_b\n")  # the CSV of disagreements


def run(arguments: argparse.Namespace) -> None:
    """Find both predictions, compare them, print and write."""
    from skinlesion.commands import outputs, revisions, scored_split
    from skinlesion.commands.compare import description, paired, repeated
    from skinlesion.core import tables
    from skinlesion.runtime import params

    settings = params.read_params()
    working_tree = paths.PREDICTIONS.as_posix()
    sides = [split_names(side) for side in (arguments.a, arguments.b or working_tree)]
    single = max(map(len, sides)) == 1
    if not single and min(map(len, sides)) == 1:
        raise UserError("One side has several runs, the other has one. Give several of both, as A1,A2,A3 B1,B2,B3")
    if not single and arguments.disagreements:
        raise UserError("--disagreements is of two runs. Name one on each side, or leave it out")
    names = [name for side in sides for name in side]
    files = [paths.PREDICTIONS if name == working_tree else revisions.find_predictions(name) for name in names]
    if arguments.disagreements:
        outputs.check_file(arguments.disagreements, files, KIND)
    runs = [scored_split.read_split(file, arguments.split, name) for file, name in zip(files, names, strict=True)]
    a, b, draws, seed = runs[: len(sides[0])], runs[len(sides[0]) :], settings.evaluate.bootstrap, settings.seed
    try:
        comparison = paired.compare(*a, *b, draws, seed) if single else repeated.compare(a, b, draws, seed)
    except UserError as error:
        elsewhere = "" if arguments.split == "external" else ", or compare on the external set: --split external"
        raise UserError(f"{error}{elsewhere}") from None
    describe = description.describe if single else description.describe_repeated
    print(describe(comparison, *map(", ".join, sides), arguments.split))
    if arguments.disagreements:
        tables.write(arguments.disagreements, comparison.disagreements)
        print(f"{len(comparison.disagreements)} images with different predictions: {arguments.disagreements}")


def split_names(side: str) -> list[str]:
    """Split A1,A2,A3 into its runs; a file whose name has a comma is one run."""
    return [side] if Path(side).is_file() else side.split(",")


def add(parser: argparse.ArgumentParser) -> None:
    kinds = (
        "a branch, tag, commit, DVC experiment, or the path of a predictions.csv; A1,A2,A3: seeds of one configuration"
    )
    parser.add_argument("a", metavar="A", help=kinds)
    b = f"the same (default: {paths.PREDICTIONS} as it is in the working tree)"
    parser.add_argument("b", nargs="?", metavar="B", help=b)
    splits = ("test", "validation", "external")
    parser.add_argument("--split", choices=splits, default=splits[0], help="default: %(default)s")
    disagreements = "also write a CSV of the images with different predictions; only a CSV of compare is replaced"
    parser.add_argument("--disagreements", type=Path, metavar="FILE", help=disagreements)
    parser.set_defaults(function=run)
