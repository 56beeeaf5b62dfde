"""Where and in which precision a model trains. Nothing moves from GPU to CPU in silence."""

import os

from skinlesion.model.backend import gpus, keras
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import processor


def choose(device: str) -> str:
    """Make `train.device` so; call it before anything is computed.

    Args:
        device: `auto` takes a GPU where the Keras backend sees one, `gpu` insists on one, `cpu` hides them.

    Returns:
        `gpu` or `cpu`.

    Raises:
        UserError: `gpu` where the backend sees none.
    """
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        gpus()  # TensorFlow looks for them at its first use, and would say there that it found none
        return "cpu"
    if gpus():
        return "gpu"
    if device == "gpu":
        raise UserError(
            f"train.device: gpu, but {keras.backend.backend()} sees no GPU. Install requirements-gpu.txt "
            "(make repro GPU=1) and look at nvidia-smi, or set train.device: auto or cpu"
        )
    return "cpu"


def choose_precision(precision: str, device: str) -> str:
    """The Keras dtype policy for `train.precision`: `auto` is mixed_bfloat16 where `device` computes it natively."""
    if precision != "auto":
        return precision
    return "mixed_bfloat16" if NATIVE_BFLOAT16[device]() else "float32"


def cpu_has_bfloat16() -> bool:
    return processor.kind() == "AVX512-BF16"


def gpu_has_bfloat16() -> bool:
    """Whether the GPU is of NVIDIA's Ampere generation (compute capability 8) or newer."""
    return compute_capability() >= 8


def compute_capability() -> float:
    import subprocess

    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return 0.0
    return min(float(line) for line in answer.split())


NATIVE_BFLOAT16 = {"cpu": cpu_has_bfloat16, "gpu": gpu_has_bfloat16}
