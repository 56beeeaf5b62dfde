"""The model as a TensorFlow SavedModel or as ONNX.

Input `image`: float32 RGB 0-255 (N, S, S, 3). Output `probabilities`: (N, 7) in the order of CODES, calibrated, at
natural class frequencies, as predict gives them. The class names and the steps from an image file to the input are
JSON: in the SavedModel's assets.extra/skinlesion.json, and in the ONNX metadata under `skinlesion`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from skinlesion.commands.outputs import SIDECAR, SOFTWARE
from skinlesion.core.ham10000 import CODES, NAMES
from skinlesion.model.backend import keras, quiet
from skinlesion.model.bundle import Bundle
from skinlesion.model.calibration import LEAST, to_frequencies
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.files import replace_file, replace_folder, write_json

OPSET = 17  # of ONNX: ONNX Runtime reads it since 1.12 (2022)


def add_calibration(bundle: Bundle) -> keras.Model:
    """Append Calibration.corrected to the model as Keras operations; raise UserError if Keras is not on TensorFlow."""
    if (backend := keras.backend.backend()) != "tensorflow":
        raise UserError(f"KERAS_BACKEND is {backend}, but export needs tensorflow. Unset KERAS_BACKEND")
    calibration, ops = bundle.calibration, keras.ops
    # The correction of equal probabilities gives the class weights, up to a factor that normalisation removes.
    weights = to_frequencies(np.ones((1, len(CODES))), calibration.trained, calibration.natural).astype("float32")
    image = keras.Input(bundle.model.input_shape[1:], name="image", dtype="float32")
    logits = ops.log(ops.maximum(bundle.model(image, training=False), LEAST)) / calibration.temperature
    weighted = ops.maximum(ops.softmax(logits), LEAST) * weights
    return keras.Model(image, {"probabilities": weighted / ops.sum(weighted, axis=1, keepdims=True)})


def describe(bundle: Bundle) -> dict[str, Any]:
    """Class names, steps from an image file to the input, input and output: what a program must know."""
    side = bundle.model.input_shape[1]
    return {
        "classes": list(CODES),
        "names": list(NAMES.values()),
        "steps": list_steps(bundle.fit, side),
        "input": f"float32 (N, {side}, {side}, 3), RGB, 0 to 255: the result of the steps, not scaled",
        "output": "calibrated probabilities at natural class frequencies: apply nothing to them",
    }


def list_steps(fit: str, side: int) -> list[dict[str, Any]]:
    """The steps from an image file to a square, in order, as skinlesion/core/images.py takes them.

    A program reads the keys; `means` is for people who write the steps in another language.
    """
    whole = "the whole image at its full size to RGB of 8 bits, upright as its EXIF orientation says"
    centre = "the centre square: s = min(height, width), s rows from (height - s) // 2, s columns from (width - s) // 2"
    resized = "by OpenCV's resize of 8-bit values to side x side: enlarge if height or width is below side, else shrink"
    return [
        {"step": "decode", "means": f"{whole}; transparency and colour profiles are ignored"},
        *([{"step": "crop", "means": centre}] if fit == "crop" else []),
        {"step": "resize", "side": side, "shrink": "INTER_AREA", "enlarge": "INTER_LINEAR_EXACT", "means": resized},
    ]


def write_savedmodel(bundle: Bundle, path: Path) -> None:
    """Write a SavedModel folder with the endpoint `serve` and the signature `serving_default`."""
    model = add_calibration(bundle)
    with replace_folder(path) as partial:
        with quiet():
            model.export(partial, format="tf_saved_model", verbose=False)
        write_json(partial / SIDECAR, describe(bundle))  # TensorFlow leaves this folder to others


def write_onnx(bundle: Bundle, path: Path) -> None:
    """Write an ONNX file with tf2onnx: Keras' own export cannot convert ConvNeXt and transformers.

    Raises UserError if ONNX lacks an operation of the network.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    model = add_calibration(bundle)
    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")
    # Autograph would look for the source code of functions that Keras generates.
    function = tf.function(model, autograph=False)
    handlers = {"Erfc": (replace_erfc, [])}
    # "Eagerly" traces nested functions inline: Keras wraps grouped convolutions in one, which ONNX cannot call.
    tf.config.run_functions_eagerly(True)
    try:
        with quiet():
            exported, _ = tf2onnx.convert.from_function(function, [signature], opset=OPSET, custom_op_handlers=handlers)
    finally:
        tf.config.run_functions_eagerly(False)
    operations = {node.op_type for node in exported.graph.node if node.domain == ""}
    if missing := sorted(name for name in operations if not onnx.defs.has(name, max_inclusive_version=OPSET)):
        raise UserError(f"ONNX lacks operations of this network: {', '.join(missing)}. Use --format savedmodel")
    for value in (exported.graph.input[0], exported.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_param = "images"
    exported.producer_name = f"{SOFTWARE}, tf2onnx"  # outputs.check_file recognises our files by it
    exported.metadata_props.add(key="skinlesion", value=json.dumps(describe(bundle)))
    with replace_file(path) as partial:
        partial.write_bytes(exported.SerializeToString())


def replace_erfc(context: Any, node: Any, name: str, _: list) -> None:
    """Write Erfc(x), a part of GELU, as 1 - Erf(x): tf2onnx converts only Erf."""
    [source], [target] = list(node.input), list(node.output)
    shapes, dtypes = [context.get_shape(target)], [context.get_dtype(target)]
    context.remove_node(node.name)
    ones = context.make_const(f"{name}_one", np.ones((), np.float32)).output[0]
    erf = context.make_node("Erf", [source], shapes=shapes, dtypes=dtypes).output[0]
    context.make_node("Sub", [ones, erf], outputs=[target], name=name, shapes=shapes, dtypes=dtypes)
