"""write the model for other programs: RGB 0-255 in, calibrated probabilities out, without this repository"""

import argparse
import shutil
from pathlib import Path

from skinlesion.runtime import paths
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file

SCRIPT = Path(__file__).with_name("classify_images.py")  # an example of use, copied beside the model
NAMES = {"savedmodel": "savedmodel", "onnx": "model.onnx"}  # default output names


def run(arguments: argparse.Namespace) -> None:
    """Check everything that needs no Keras, then write the model and the script."""
    from skinlesion.commands import outputs
    from skinlesion.model import model_file

    path = arguments.out or arguments.model.with_name(NAMES[arguments.format])
    model_file.read_metadata(arguments.model)
    if arguments.format == "onnx":
        outputs.check_file(path, [arguments.model], outputs.ONNX)
    else:
        outputs.check_savedmodel(path, [arguments.model])
    script = path.with_name(SCRIPT.name)
    outputs.check_file(script, [arguments.model], outputs.SCRIPT)
    if path == script:
        raise UserError(f"--out {path} is reserved for export's own Python script. Choose another output path")

    from skinlesion.commands.export import formats
    from skinlesion.model import bundle

    loaded = bundle.load(arguments.model)
    write = formats.write_onnx if arguments.format == "onnx" else formats.write_savedmodel
    write(loaded, path)
    with replace_file(script) as partial:
        shutil.copyfile(SCRIPT, partial)
    side = loaded.model.input_shape[1]
    print(f"export: {path}: float32 (N, {side}, {side}, 3), RGB 0-255, to calibrated probabilities (N, 7)")
    print(f"example: python {script} {path} lesion.jpg")


def add(parser: argparse.ArgumentParser) -> None:
    kind = "savedmodel: a folder for TensorFlow; onnx: a file for ONNX Runtime"
    parser.add_argument("--format", choices=NAMES, required=True, help=kind)
    out = "new path, or that of an earlier export (default: savedmodel/ or model.onnx beside the model)"
    parser.add_argument("--out", type=Path, metavar="PATH", help=out)
    model = "the trained model (default: %(default)s)"
    parser.add_argument("--model", type=Path, default=paths.MODEL, metavar="PATH", help=model)
    parser.set_defaults(function=run)
