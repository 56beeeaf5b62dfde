"""Keras, its backend, and what trains."""

import os
import subprocess
from importlib import metadata

from skinlesion.commands.doctor.finding import Finding, note, ok, problem
from skinlesion.commands.doctor.software import SETUP
from skinlesion.runtime.errors import UserError
from skinlesion.runtime.params import Params
from skinlesion.train.machine import processor


def backend() -> Finding:
    try:
        from skinlesion.model.backend import keras
    except Exception as error:  # a broken package raises nearly anything
        reason = (str(error).splitlines() or [""])[0]
        name = os.environ.get("KERAS_BACKEND", "its backend")
        return problem(f"Keras does not start on {name}: {type(error).__name__}: {reason}", SETUP)
    name = keras.backend.backend()
    return ok(f"{keras.version()} on {name} {metadata.version(name)}")


def device(settings: Params) -> Finding:
    """Where train would run and in which precision, and which GPUs there are."""
    from skinlesion.model.backend import keras
    from skinlesion.train.machine import devices

    asked, gpus = settings.train.device, nvidia()
    try:
        chosen = devices.choose(asked)
    except UserError as error:
        rule, _, remedy = str(error).partition(". ")
        return problem(rule, remedy)
    precision, auto = (devices.choose_precision(one, chosen) for one in (settings.train.precision, "auto"))
    where = ", ".join(gpus) or "GPU" if chosen == "gpu" else f"{os.cpu_count()} CPU cores ({processor.describe()})"
    text = f"train runs on {where} in {precision} (train.precision: auto picks {auto})"
    if chosen == "gpu" or asked == "cpu":
        return ok(text)
    if gpus:
        unseen = f"{text}; {keras.backend.backend()} does not see {', '.join(gpus)}"
        return note(unseen, "make setup GPU=1 adds CUDA's libraries (Linux)")
    return note(f"{text}; no GPU", "The sample trains in minutes without; the real data want a GPU, or patience")


def nvidia() -> list[str]:
    """The names of the GPUs that NVIDIA's driver sees."""
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.splitlines() if line.strip()]
