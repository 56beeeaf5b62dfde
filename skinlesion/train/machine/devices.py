"""Where and in which precision a model trains. Nothing moves from GPU to CPU without a message."""

import os
import subprocess

from skinlesion.model.backend import gpus, keras
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import processor


def choose(device: str) -> str:
    """Apply `train.device`. Call it before anything is computed.

    Args:
        device: `auto` takes a GPU where the Keras backend sees one, `gpu` requires one, `cpu` hides them.

    Returns:
        `gpu` or `cpu`.

    Raises:
        UserError: `gpu`, but the backend sees none.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        gpus()  # TensorFlow looks for GPUs at its first use, and this call hides the message that it prints then
        return "cpu"
    if gpus():
        return "gpu"
    if device == "gpu":
        raise UserError(
            f"train.device: gpu, but {keras.backend.backend()} sees no GPU. Install requirements-gpu.txt "
            "(make repro GPU=1) and check nvidia-smi, or set train.device: auto or cpu"
        )
    return "cpu"


def choose_precision(precision: str, device: str) -> str:
    """The Keras dtype policy for `train.precision`: `auto` is mixed_bfloat16 where `device` computes it natively."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if NATIVE_BFLOAT16[device]() else "float32"


def gpu_has_bfloat16() -> bool:
    """Whether every GPU is of NVIDIA's Ampere generation (compute capability 8) or newer; False if it is unknown."""
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        output = subprocess.run(query, capture_output=True, text=True, check=True).stdout
        return min(float(line) for line in output.splitlines()) >= 8
    except (OSError, subprocess.CalledProcessError, ValueError):  # ValueError: a line is no number, or there is none
        return False


NATIVE_BFLOAT16 = {"cpu": lambda: processor.kind() == "AVX512-BF16", "gpu": gpu_has_bfloat16}
