"""The switch for more output: -v behind a stage or before a command, or SKINLESION_VERBOSE=1 before dvc repro."""

import argparse
import os

VARIABLE = "SKINLESION_VERBOSE"


def parse_arguments(parser: argparse.ArgumentParser, words: list[str] | None = None) -> argparse.Namespace:
    """Parse a command line that also takes -v, and keep that for `asked`; call it before the backend is imported."""
    text = "also show tracebacks, and the backend's own messages"
    parser.add_argument("-v", "--verbose", action="store_true", help=text)
    arguments = parser.parse_args(words)
    if arguments.verbose:
        os.environ[VARIABLE] = "1"
    return arguments


def asked() -> bool:
    """Return whether tracebacks and the backend's own messages are wanted."""
    return bool(os.environ.get(VARIABLE))
