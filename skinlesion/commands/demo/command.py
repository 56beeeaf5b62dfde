"""open a web page that classifies an image and shows its Grad-CAM"""

import argparse
from pathlib import Path

from skinlesion.runtime import paths

LOCAL = ("127.0.0.1", "localhost", "::1")


def run(arguments: argparse.Namespace) -> None:
    local = arguments.host in LOCAL
    if not local:
        print("demo: everyone who can reach this machine can use the page, without password or encryption")
    from skinlesion.commands.demo import server  # imports Keras

    # A site that resolves its own name to this machine could read the answers, but it sends its own name as the host.
    names = (*LOCAL, "[::1]") if local else ("*",)
    server.serve(arguments.model, arguments.host, arguments.port, names)


def port(text: str) -> int:
    """Parse a port; raise ArgumentTypeError if it is not one."""
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port. Give a number from 0 to 65535")
    return int(text)


def add(parser: argparse.ArgumentParser) -> None:
    model = "the trained model (default: %(default)s)"
    parser.add_argument("--model", type=Path, default=paths.MODEL, metavar="PATH", help=model)
    host = "address to listen on (default: %(default)s, only this machine; 0.0.0.0: the whole network)"
    parser.add_argument("--host", default=LOCAL[0], help=host)
    parser.add_argument("--port", type=port, default=7860, help="(default: %(default)s; 0: any free port)")
    parser.set_defaults(function=run)
