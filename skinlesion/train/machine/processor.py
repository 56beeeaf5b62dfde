"""The kind of CPU, and whether TensorFlow uses oneDNN. Speed and rounding depend on both."""

import os
import platform
import re
from pathlib import Path

VARIABLE = "SKINLESION_PROCESSOR"  # tests name another kind of CPU in it
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # skinlesion/__init__.py sets it to 1, unless the user has set it
# The first kind of which Linux lists one of the flags.
KINDS = {"AVX512-BF16": {"avx512_bf16", "amx_bf16"}, "AVX-512": {"avx512f"}, "AVX2": {"avx2"}}


def kind() -> str:
    """Return the CPU's kind: AVX512-BF16, AVX-512 or AVX2, or the architecture (arm64) if no such flag is listed."""
    if named := os.environ.get(VARIABLE):
        return named
    cpuinfo = Path("/proc/cpuinfo")  # Linux only
    text = cpuinfo.read_text(encoding="utf-8") if cpuinfo.exists() else ""
    listed = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    flags = set(listed[1].split()) if listed else set()
    return next((name for name, signs in KINDS.items() if signs & flags), platform.machine())


def onednn() -> bool:
    """Whether TensorFlow may use oneDNN's kernels; TensorFlow for macOS is built without them."""
    return os.environ.get(ONEDNN, "1").lower() not in ("0", "false") and platform.system() != "Darwin"


def describe() -> str:
    """Both in one line, as `AVX2, oneDNN on`."""
    return f"{kind()}, oneDNN {'on' if onednn() else 'off'}"
