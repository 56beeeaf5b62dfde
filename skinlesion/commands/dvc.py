"""DVC's command line, run by the same Python as this program."""

import os
import subprocess
import sys
from pathlib import Path

from skinlesion.runtime.errors import UserError


def start_dvc(*words: str, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start DVC with this Python first on PATH, so that the stages use it too; nothing that it prints is buffered."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return subprocess.Popen(
        [sys.executable, "-m", "dvc", *words],
        env={**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        errors="replace",
    )


def read_dvc(*words: str) -> str:
    """Run DVC and return its output; raise UserError with DVC's own message if it failed."""
    process = start_dvc(*words)
    output, errors = process.communicate()
    if process.returncode:
        raise UserError(f"dvc {' '.join(words[:2])} failed: {' '.join((errors or output).strip().splitlines()[-3:])}")
    return output
