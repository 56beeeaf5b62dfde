"""The model in the forms that other programs run: a TensorFlow SavedModel, or ONNX.

Both take float32 RGB 0-255 (N, S, S, 3), named `image`, and give what people are shown: calibrated probabilities (N, 7)
at natural class frequencies, named `probabilities`, in the order of CODES. What a program needs to know beside that
(classes, and the steps from a picture file to the input) travels along as JSON: in the SavedModel's
assets.extra/skinlesion.json, and as ONNX metadata of the name skinlesion. A script that follows these steps lies beside
the model: classify_images.py, a copy of this package's.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skinlesion.commands.outputs import SIDECAR, SOFTWARE
from skinlesion.core.ham10000 import CODES, DIAGNOSES
from skinlesion.model.backend import keras, quiet
from skinlesion.model.bundle import Bundle
from skinlesion.model.calibration import LEAST, to_frequencies
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file, replace_folder

SCRIPT = Path(__file__).with_name("classify_images.py")
OPSET = 17  # of ONNX: read by ONNX Runtime since 1.12 (2022)


def calibrated(bundle: Bundle) -> keras.Model:
    """The model and its calibration as one model: what Calibration.corrected says, in Keras' operations."""
    calibration, ops = bundle.calibration, keras.ops
    # What the correction does to equal probabilities, up to a factor that the sum below takes out.
    ratio = to_frequencies(np.ones((1, len(CODES))), calibration.trained, calibration.natural)
    image = keras.Input(bundle.model.input_shape[1:], name="image", dtype="float32")
    logits = ops.log(ops.maximum(bundle.model(image, training=False), LEAST)) / calibration.temperature
    weighed = ops.maximum(ops.softmax(logits), LEAST) * ratio.astype("float32")
    return keras.Model(image, weighed / ops.sum(weighed, axis=1, keepdims=True), name="calibrated")


def about(bundle: Bundle) -> dict[str, Any]:
    """What a program needs to know to feed the model and to read its answers."""
    side = bundle.model.input_shape[1]
    return {
        "classes": list(CODES),
        "names": [diagnosis.name for diagnosis in DIAGNOSES],
        "steps": steps(bundle.fit, side),
        "input": f"float32 (N, {side}, {side}, 3), RGB, 0 to 255: what the steps give, not scaled",
        "output": "calibrated already, and at natural class frequencies: apply nothing to it",
    }


def steps(fit: str, side: int) -> list[dict[str, Any]]:
    """All steps from a picture file to a square, in their order, as skinlesion/core/images.py takes them.

    What differs between models has keys of its own; `means` is for those who follow the steps in another language.
    """
    whole = "the whole picture at its full size to RGB of 8 bits, upright as its EXIF orientation says"
    centre = "the centre square: s = min(height, width), s rows from (height - s) // 2, s columns from (width - s) // 2"
    resized = "by OpenCV's resize of 8-bit values to side x side: enlarge if height or width is below side, else shrink"
    return [
        {"step": "decode", "means": f"{whole}; transparency and colour profiles are ignored"},
        *([{"step": "crop", "means": centre}] if fit == "crop" else []),  # to stretch is to resize the whole
        {"step": "resize", "side": side, "shrink": "INTER_AREA", "enlarge": "INTER_LINEAR_EXACT", "means": resized},
    ]


def write(bundle: Bundle, kind: str, path: Path) -> Path:
    """Write the model to `path` in a format of FORMATS, and the script that shows its use beside it.

    Returns:
        the script's path.

    Raises:
        UserError: see `to_savedmodel` and `to_onnx`.
    """
    script = path.parent / SCRIPT.name
    FORMATS[kind](bundle, path)
    with replace_file(script) as partial:
        shutil.copyfile(SCRIPT, partial)
    return script


def to_savedmodel(bundle: Bundle, path: Path) -> None:
    """Write a SavedModel folder, whose endpoint is `serve` and whose signature is `serving_default`.

    Raises:
        UserError: `path` is a file, or Keras does not run on TensorFlow.
    """
    function, signature = traced(bundle)
    archive = keras.export.ExportArchive()
    archive.track(function.model)
    archive.add_endpoint("serve", function, input_signature=[signature])
    with replace_folder(path) as partial:
        with quiet():
            archive.write_out(partial, verbose=False)
        extra = partial / SIDECAR  # where SavedModels carry what is not theirs
        extra.parent.mkdir(exist_ok=True)
        extra.write_text(json.dumps(about(bundle), indent=2) + "\n", encoding="utf-8")


def to_onnx(bundle: Bundle, path: Path) -> None:
    """Write an ONNX file.

    Keras' own export to ONNX has no handlers for what ConvNeXt and transformers are made of, so that the converter
    behind it, tf2onnx, is called here. It runs on NumPy 2 from version 1.17 on.

    Raises:
        UserError: `path` is a folder, the network has operations that ONNX lacks, or Keras does not run on TensorFlow.
    """
    import tensorflow as tf
    import tf2onnx

    function, signature = traced(bundle)
    with quiet(), inlined():
        # Without autograph, which would look for the source of what Keras made.
        traceable = tf.function(function, autograph=False)
        model, _ = tf2onnx.convert.from_function(
            traceable, [signature], opset=OPSET, custom_op_handlers={"Erfc": (complement_of_erf, [])}
        )
    unknown = sorted({node.op_type for node in model.graph.node if node.domain == "" and not known(node.op_type)})
    if unknown:
        raise UserError(
            f"ONNX has no operations for all of this network. Missing: {', '.join(unknown)}. Use --format savedmodel"
        )
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "images"
    model.producer_name = f"{SOFTWARE}, tf2onnx"  # by the first outputs.check_file knows it
    model.metadata_props.add(key="skinlesion", value=json.dumps(about(bundle)))
    with replace_file(path) as partial:
        partial.write_bytes(model.SerializeToString())


def traced(bundle: Bundle) -> tuple[Callable, Any]:
    """A function of the calibrated model for TensorFlow to trace, and the signature of its input."""
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"export runs on TensorFlow. Received: KERAS_BACKEND={keras.backend.backend()}. Unset it: a model file is "
            "read by every backend"
        )
    import tensorflow as tf

    model = calibrated(bundle)

    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model(image, training=False)}

    serve.model = model
    return serve, tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")


@contextmanager
def inlined() -> Iterator[None]:
    """Trace functions as parts of those that call them.

    Keras puts grouped convolutions into a function of its own, for XLA, and ONNX has no calls of those.
    """
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def complement_of_erf(context: Any, node: Any, name: str, _: list) -> None:
    """Erfc(x), of which GELU is made, as 1 - Erf(x): tf2onnx has a handler for Erf alone."""
    [source], [target] = list(node.input), list(node.output)
    shapes, dtypes = [context.get_shape(target)], [context.get_dtype(target)]
    context.remove_node(node.name)
    one = context.make_const(f"{name}_one", np.ones((), np.float32)).output[0]
    erf = context.make_node("Erf", [source], shapes=shapes, dtypes=dtypes).output[0]
    context.make_node("Sub", [one, erf], outputs=[target], name=name, shapes=shapes, dtypes=dtypes)


def known(operation: str) -> bool:
    """Whether ONNX has an operation of this name."""
    import onnx

    return onnx.defs.has(operation, max_inclusive_version=OPSET)


FORMATS: dict[str, Callable[[Bundle, Path], None]] = {"savedmodel": to_savedmodel, "onnx": to_onnx}
