"""the web page: an image in, probabilities and Grad-CAM out"""

import argparse
from pathlib import Path

from skinlesion.runtime import paths

OWN = "127.0.0.1"


def run(arguments: argparse.Namespace) -> None:
    if not arguments.model.exists():
        print(f"demo: {arguments.model} is missing. The page opens; for answers run: dvc repro")
    if arguments.host not in (OWN, "localhost", "::1"):
        print("demo: without password or encryption, for everyone who can reach this machine")
    from skinlesion.commands.demo import server  # which loads Keras

    server.serve(arguments.model, arguments.host, arguments.port)


def port(text: str) -> int:
    """A port's number. Raises ArgumentTypeError where it is none."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535. Received: {text}")
    return int(text)


def add(parser: argparse.ArgumentParser) -> None:
    model = "the model file (default: %(default)s)"
    parser.add_argument("--model", type=Path, default=paths.MODEL, metavar="PATH", help=model)
    host = "address to listen on (default: %(default)s, this machine alone; 0.0.0.0: everyone in the network)"
    parser.add_argument("--host", default=OWN, help=host)
    parser.add_argument("--port", type=port, default=7860, help="(default: %(default)s; 0: any that is free)")
    parser.set_defaults(function=run)
