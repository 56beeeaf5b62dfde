"""The switch for more output: -v behind a stage or before a command, or SKINLESION_VERBOSE=1 before dvc repro."""

import argparse
import os

VARIABLE = "SKINLESION_VERBOSE"


def add(parser: argparse.ArgumentParser) -> None:
    """Add -v to a command line."""
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also show tracebacks, and the backend's own messages"
    )


def note(arguments: argparse.Namespace) -> None:
    """Keep for `asked` whether -v was given; call it before the backend is imported."""
    if arguments.verbose:
        os.environ[VARIABLE] = "1"


def asked() -> bool:
    """Return whether tracebacks and the backend's own messages are wanted."""
    return bool(os.environ.get(VARIABLE))
