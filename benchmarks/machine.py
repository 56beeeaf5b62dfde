"""The machine that the numbers were measured on, and CPUs of an earlier kind that it can emulate."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from skinlesion.train.machine import processor

# Kind -> the variables that keep libraries from newer instructions: oneDNN, PyTorch's own kernels, MKL. TensorFlow's
# other kernels are compiled for AVX. Clock and caches stay those of the machine.
EMULATIONS = {
    "AVX2": {
        processor.VARIABLE: "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    }
}
LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS")
PACKAGES = (
    *("keras", "keras-hub", "tensorflow", "torch", "jax", "numpy"),
    *("pillow", "simplejpeg", "opencv-python-headless", "joblib", "dvc"),
)


def kind() -> str:
    """The CPU's kind, as AVX2; or `AVX2, emulated`."""
    return f"{processor.kind()}, emulated" if limits() else processor.kind()


def limits() -> list[str]:
    return [f"{name}={os.environ[name]}" for name in LIMITS if name in os.environ]


def describe() -> str:
    """CPU, system, versions and commit, in one line."""
    gpu = "a GPU is there" if shutil.which("nvidia-smi") else "no GPU"
    emulated = f", emulated by {' '.join(limits())}" if limits() else ""
    versions = [f"{name} {found}" for name in PACKAGES if (found := version_of(name))]
    return (
        f"Measured on {cpu()} ({processor.kind()}{emulated}), {os.cpu_count()} cores, {gpu}, {platform.system()}; "
        f"commit {commit()}; python {platform.python_version()}, {', '.join(versions)}."
    )


def cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "../skinlesion", "../stages", ".", ":!results.md", ":!results.png")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (", with changes not committed" if changed else "")
