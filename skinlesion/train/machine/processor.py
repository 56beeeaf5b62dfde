"""What computes on the CPU: its kind, and whether TensorFlow uses oneDNN. Speed and rounding depend on both."""

import os
import platform
import re
from pathlib import Path

VARIABLE = "SKINLESION_PROCESSOR"  # names another kind than the machine's, for tests
ONEDNN = "TF_ENABLE_ONEDNN_OPTS"  # skinlesion/__init__.py sets it to 1, unless it is set
# The first kind of which Linux lists one of the flags.
KINDS = {"AVX512-BF16": {"avx512_bf16", "amx_bf16"}, "AVX-512": {"avx512f"}, "AVX2": {"avx2"}}


def kind() -> str:
    """AVX512-BF16, AVX-512 or AVX2; where the system does not list the CPU's flags, its architecture, as arm64."""
    if named := os.environ.get(VARIABLE):
        return named
    flags = cpu_flags()
    return next((name for name, signs in KINDS.items() if signs & flags), platform.machine())


def cpu_flags() -> set[str]:
    """The instruction sets that Linux lists for the first core; none on other systems."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    listed = re.search(r"^flags\s*:(.*)$", cpuinfo, re.MULTILINE)
    return set(listed[1].split()) if listed else set()


def onednn() -> bool:
    """Whether TensorFlow is asked for oneDNN's kernels; TensorFlow for macOS comes without them."""
    asked = os.environ.get(ONEDNN, "1").lower() not in ("0", "false")
    return asked and platform.system() != "Darwin"


def describe() -> str:
    """Both in one line, as `AVX2, oneDNN on`."""
    return f"{kind()}, oneDNN {'on' if onednn() else 'off'}"
