"""DVC's own command line, run by this Python."""

import os
import subprocess
import sys
from pathlib import Path

from skinlesion.runtime.errors import UserError


def dvc(*words: str, output: int | None = subprocess.PIPE) -> subprocess.CompletedProcess:
    """Run DVC with this Python first on the path, so that the stages use it too; output None shows what it says."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "dvc", *words]
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, env=environment, stdout=output, stderr=output, text=True, check=False)


def must(*words: str) -> str:
    """Run DVC and give back what it printed.

    Raises:
        UserError: DVC failed; the message is its own.
    """
    done = dvc(*words)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(f"dvc {' '.join(words[:2])} failed: {' '.join(said[-3:])}")
    return done.stdout
