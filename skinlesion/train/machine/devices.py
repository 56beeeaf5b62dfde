"""Where, on how many devices and in which precision a model trains. Nothing moves from GPU to CPU without a message."""

import os
import subprocess
from typing import Literal

from skinlesion.model.backend import gpus, keras
from skinlesion.runtime import processes
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import processor
from skinlesion.train.machine.distribution import DISTRIBUTIONS, Distribution


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


def distribute(wanted: int | Literal["all"], device: str, batch_size: int) -> Distribution:
    """Apply `train.devices`.

    Args:
        device: `gpu` or `cpu`, as `choose` returns.
        batch_size: of the whole batch.

    Raises:
        UserError: there are fewer devices, they cannot share a batch equally, or the backend has no such training.
    """
    backend, number = keras.backend.backend(), processes.count()
    there = keras.distribution.list_devices(device) if backend in DISTRIBUTIONS else gpus() or ["cpu:0"]
    count = len(there) if wanted == "all" else wanted
    if count > len(there):
        fault = f"train.devices is {count}, but {backend} sees {len(there)}: {', '.join(there)}"
        raise UserError(f"{fault}. Set train.devices: {len(there)} or less, or all")
    if number > 1 and count < len(there):
        fault = f"train.devices is {count}, but this is one of {number} processes, which have {len(there)} devices"
        raise UserError(f"{fault}. Set train.devices: all, or run one process")
    if count == 1:
        return Distribution(there[:1])
    if backend not in DISTRIBUTIONS:
        raise UserError(f"train.devices is {count}, but under {backend} one trains. Set train.devices: 1")
    if rest := batch_size % count:
        near = " or ".join(str(near) for near in (batch_size - rest, batch_size - rest + count) if near)
        raise UserError(f"train.batch_size is {batch_size}, which {count} devices cannot share equally. Set {near}")
    return DISTRIBUTIONS[backend](there[:count])


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
