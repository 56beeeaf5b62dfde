"""More is said where it is asked for: -v behind a stage, or SKINLESION_VERBOSE=1 before dvc repro."""

import os
import sys

VARIABLE = "SKINLESION_VERBOSE"


def asked() -> bool:
    """Whether tracebacks of messages and the backend's own notes are wanted."""
    return bool(os.environ.get(VARIABLE)) or "-v" in sys.argv[1:]
