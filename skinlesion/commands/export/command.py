"""the model for other programs: 0-255 RGB in, calibrated probabilities out, without this repository"""

import argparse
from pathlib import Path

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError

SCRIPT = "classify_images.py"  # written beside the model: how to use it
NAMES = {"savedmodel": "savedmodel", "onnx": "model.onnx"}  # of what is written, where no path is given


def run(arguments: argparse.Namespace) -> None:
    from skinlesion.commands import outputs
    from skinlesion.model import model_file

    path = arguments.out or arguments.model.with_name(NAMES[arguments.format])
    model_file.read_ours(arguments.model)  # this and the next before Keras is loaded, which takes seconds
    if arguments.format == "onnx":
        outputs.check_file(path, [arguments.model], outputs.ONNX)
    else:
        outputs.check_savedmodel(path, [arguments.model])
    outputs.check_file(path.with_name(SCRIPT), [arguments.model], outputs.SCRIPT)
    if path.name == SCRIPT:
        raise UserError(f"{path} is the name of the script that export writes beside the model. Name another file")

    from skinlesion.commands.export import formats
    from skinlesion.model import bundle

    loaded = bundle.load(arguments.model)
    script = formats.write(loaded, arguments.format, path)
    side = loaded.model.input_shape[1]
    print(f"export: {path}: float32 (N, {side}, {side}, 3), RGB 0-255, to calibrated probabilities (N, 7)")
    print(f"example: python {script} {path} lesion.jpg")


def add(parser: argparse.ArgumentParser) -> None:
    kind = "a folder that TensorFlow serves, or a file that ONNX Runtime runs"
    parser.add_argument("--format", choices=NAMES, required=True, help=kind)
    out = "where to, a new place or that of an earlier export (default: beside the model, savedmodel/ or model.onnx)"
    parser.add_argument("--out", type=Path, metavar="PATH", help=out)
    model = "the model file (default: %(default)s)"
    parser.add_argument("--model", type=Path, default=paths.MODEL, metavar="PATH", help=model)
    parser.set_defaults(function=run)
