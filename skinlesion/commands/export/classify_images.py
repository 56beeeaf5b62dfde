"""Classify pictures with an exported model: python classify_images.py MODEL PICTURE ...

MODEL is an ONNX file (needs onnxruntime) or a SavedModel folder (needs tensorflow). It contains the steps from a
picture file to its input. This script follows them with NumPy and OpenCV (pip install opencv-python-headless) alone:
copy it, or write the steps in another language. For research only, not a diagnosis.
"""

import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"
CMYK = re.compile(rb"\xff[\xc0-\xc2]\x00\x14\x08.{4}\x04", re.DOTALL)  # in a JPEG: the header of four colours
SCAN, END = b"\xff\xda", b"\xff\xd9"  # in a JPEG: start of image data, end of the file


def decode(path, step):
    content = Path(path).read_bytes()
    if not content.startswith((JPEG, PNG)) or CMYK.search(content):
        raise ValueError(f"{path} is not a JPEG or PNG in RGB or grey. Save it as one")
    truncated = content.startswith(JPEG) and content.rfind(END) < content.rfind(SCAN)  # OpenCV 4 would accept it
    image = None if truncated else cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)  # upright (EXIF)
    if image is None:
        raise ValueError(f"{path} is truncated or damaged. Copy it again from its source")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def crop(image, step):
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resize(image, step):
    name = step["enlarge"] if min(image.shape[:2]) < step["side"] else step["shrink"]
    return cv2.resize(image, (step["side"], step["side"]), interpolation=getattr(cv2, name))


STEPS = {"decode": decode, "crop": crop, "resize": resize}


def load(model):
    """Give the model's JSON, and a function from float32 (N, S, S, 3) to probabilities (N, classes)."""
    if Path(model).is_dir():
        import tensorflow as tf

        saved = tf.saved_model.load(str(model))
        about = json.loads((Path(model) / "assets.extra" / "skinlesion.json").read_text(encoding="utf-8"))
        return about, lambda batch: saved.serve(tf.constant(batch))["probabilities"].numpy()
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own have no other base
        raise ValueError(f"{model} is missing or no ONNX model ({type(error).__name__}). Correct the path") from error
    about = json.loads(session.get_modelmeta().custom_metadata_map["skinlesion"])
    return about, lambda batch: session.run(["probabilities"], {"image": batch})[0]


def prepare(path, steps):
    """Turn a picture file into the model's input, float32 (S, S, 3). Raises ValueError for an unusable file or step."""
    image = path
    for step in steps:
        if step["step"] not in STEPS:
            raise ValueError(f"The script lacks step {step['step']}. Use the classify_images.py beside the model")
        image = STEPS[step["step"]](image, step)
    return image.astype(np.float32)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        about, probabilities = load(sys.argv[1])
        print("path", *about["classes"], sep="\t")
        for path in sys.argv[2:]:
            values = probabilities(prepare(path, about["steps"])[None])[0]
            print(path, *(f"{value:.6f}" for value in values), sep="\t")
    except KeyError as error:
        sys.exit(f"{sys.argv[1]} has no {error}. Export the model again")
    except ImportError as error:
        sys.exit(f"{error.name} is not installed. Run: pip install {error.name}")
    except (ValueError, OSError) as error:
        sys.exit(str(error))
