"""the predictions as the CSV that the ISIC 2018 challenge takes (Task 3)"""

import argparse
import json
import re
from pathlib import Path

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError, listing

# In the challenge's order: Codella et al., arXiv 1902.03368.
COLUMNS = ("MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC")
KIND = re.compile(",".join(("image", *COLUMNS)).encode() + b"\n")


def run(arguments: argparse.Namespace) -> None:
    """Write one row per image with its headline probabilities, each 0 to 1.

    The challenge's scorer (isic-challenge-scoring) takes the largest as the diagnosis, none where two are largest, and
    gives weight 0 to one of the 1,512 images.
    """
    import pandas as pd

    from skinlesion.commands import outputs, scored_split
    from skinlesion.core import tables
    from skinlesion.core.ham10000 import CODES

    outputs.check_file(arguments.output, [paths.PREDICTIONS], KIND)
    predictions = scored_split.read_split(paths.PREDICTIONS, arguments.split, str(paths.PREDICTIONS))
    ids = predictions.rows["image_id"]
    if repeated := ids[ids.duplicated()].unique().tolist():
        fault = f"Split {arguments.split} has more than one row of {len(repeated)} images ({listing(repeated)})"
        raise UserError(f"{fault}: augmented copies. The challenge takes one row each. Use split.protocol: lesion")
    table = pd.DataFrame(predictions.headline, columns=[code.upper() for code in CODES])[list(COLUMNS)]
    table.insert(0, "image", ids)
    tables.write(arguments.output, table)
    if arguments.split == "external" and paths.EXTERNAL_METRICS.is_file():
        left_out = json.loads(paths.EXTERNAL_METRICS.read_text(encoding="utf-8"))["near_copies_left_out"]
        if left_out:
            print(
                f"submission: warning: no rows for {left_out} near copies of training images; the challenge scores all"
            )
    print(f"submission: {len(table)} images of split {arguments.split}: {arguments.output}")


def add(parser: argparse.ArgumentParser) -> None:
    splits = ("external", "test", "validation")
    parser.add_argument("--split", choices=splits, default=splits[0], help="default: %(default)s")
    output = "only a CSV of this command is replaced (default: %(default)s)"
    parser.add_argument("--output", type=Path, default=Path("submission.csv"), metavar="FILE", help=output)
    parser.set_defaults(function=run)
