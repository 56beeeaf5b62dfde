"""More is said where it is asked for: -v behind a stage, or before a command; SKINLESION_VERBOSE=1 before dvc repro."""

import argparse
import os

VARIABLE = "SKINLESION_VERBOSE"


def add(parser: argparse.ArgumentParser) -> None:
    more = "also show where a message came from, and what the backend has to say"
    parser.add_argument("-v", "--verbose", action="store_true", help=more)


def note(arguments: argparse.Namespace) -> None:
    """Let `asked` know what `add` has read; before the backend is started."""
    if arguments.verbose:
        os.environ[VARIABLE] = "1"


def asked() -> bool:
    """Whether tracebacks of messages and the backend's own notes are wanted."""
    return bool(os.environ.get(VARIABLE))
