"""Small trainings by the stages, each in its own process: determinism must be enabled before TensorFlow starts."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from skinlesion.core.ham10000 import CODES
from skinlesion.runtime import paths
from tests.helpers import one_block
from tests.helpers.chain import ROOT

SIDE = 32
NUMBERS = {"train": 27, "validation": 15, "test": 17, "unused": 2}
OFF = dict.fromkeys(("flip_vertical", "zoom", "shift", "shear", "brightness", "contrast"), 0)
SMALL = {
    "images.size": SIDE,
    **one_block.PARAMS,
    "heads.gap": [{"average_pool": "global"}, {"dropout": 0.2}],
    "split.protocol": "image",
    "train.batch_size": 8,
    "train.schedule": "constant",
    "train.warmup_epochs": 0,
    "train.device": "auto",
    "train.deterministic": True,
    "train.ema": 0.5,
    "train.precision": "float32",
    "evaluate.batch_size": 5,
    "evaluate.bootstrap": 100,
}
CASES = {
    "features, then all": {
        "train.logit_adjustment": 0.5,
        "configurations.quick": [
            {"train": "head", "epochs": 2, "learning_rate": 1e-2, "batch_norm": "frozen"},
            {"train": "all", "epochs": 3, "learning_rate": 3e-3, "batch_norm": "frozen"},
        ],
    },
    "augmented, bfloat16": {
        "train.precision": "mixed_bfloat16",
        "train.sampling": "balanced",
        "train.mix": "cutmix",
        "train.augmentation": {**OFF, "flip_horizontal": 0.5, "rotate": 30},
        "configurations.quick": [{"train": "all", "epochs": 3, "learning_rate": 1e-2, "batch_norm": "train"}],
    },
}


def write_set(folder: Path, *splits: str) -> Path:
    """Write data/splits.csv with all splits, metadata, the images of `splits`, coloured by class; no external set."""
    random, rows = np.random.default_rng(0), []
    colours = random.integers(60, 200, (7, 3))
    for split, number in NUMBERS.items():
        for index in range(number):
            image_id, dx = f"{split}_{index}", CODES[index % 7]
            path = Path("data/merged/images") / f"{image_id}.png"
            rows.append([path, image_id, f"group_{image_id}", dx, False, None, True, split, False])
            pixels = np.clip(colours[index % 7] + random.normal(0, 30, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
            if split in splits:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(folder / path)
    columns = ["path", "image_id", "group", "dx", "augmented", "operations", "balanced", "split", "leaked"]
    table = pd.DataFrame(rows, columns=columns).sample(frac=1, random_state=1)
    table.to_csv(folder / paths.SPLITS, index=False)
    about = {"age": 50.0, "sex": "male", "localization": "back", "dx_type": "histo"}
    about |= {"width": 4 * SIDE, "height": 3 * SIDE}
    table[["image_id"]].assign(**about).to_csv(folder / paths.METADATA, index=False)
    (folder / paths.EXTERNAL).mkdir()
    (folder / paths.EXTERNAL_METADATA).write_text("image_id,group,dx,dx_type,age,sex,localization\n")
    (folder / paths.EXTERNAL_PAIRS).write_text("image_id_1,image_id_2,distance\n")
    return folder


# What `python -c` runs before a stage, since TensorFlow has no variable for it.
LOGICAL_DEVICES = """
import runpy, sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[2])
)
stage, sys.argv = sys.argv[1], sys.argv[1:2]
runpy.run_path(stage, run_name="__main__")
"""


def start(
    stage: str, folder: Path, backend: str = "tensorflow", devices: int = 1, **variables: str
) -> subprocess.Popen:
    """Start a stage in a process that sees so many CPU devices, with more environment variables."""
    script = ROOT / "stages" / f"{stage}.py"
    several = ["-c", LOGICAL_DEVICES, script, str(devices)]
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"} if devices > 1 else {}
    return subprocess.Popen(
        [sys.executable, *(several if devices > 1 and backend == "tensorflow" else [script])],
        cwd=folder,
        env={**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "-1", **flags, **variables},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen) -> str:
    """The output of a process that ends well."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output


def kill_after_an_epoch(process: subprocess.Popen, folder: Path) -> None:
    while not list((folder / "models").glob(".progress-*.npz")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (folder / paths.MODEL).exists()
