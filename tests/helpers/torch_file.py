"""Writes state dicts as PyTorch did before version 1.6, and packages that hold them, without PyTorch."""

import hashlib
import io
import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def _rebuild_tensor_v2(*arguments: object) -> None:
    """Stands for PyTorch's function of this name, which a pickle names."""


class FloatStorage:
    pass


class LongStorage:
    pass


class Storage:
    def __init__(self, key: str, array: np.ndarray):
        self.key, self.array = key, array


class Tensor:
    """Reduces to a call of `_rebuild_tensor_v2`, as a tensor does."""

    def __init__(self, key: str, array: np.ndarray):
        self.storage, self.array = Storage(key, array.ravel(order="K")), array

    def __reduce__(self) -> tuple:
        strides = tuple(step // self.array.itemsize for step in self.array.strides)
        return _rebuild_tensor_v2, (self.storage, 0, self.array.shape, strides, False, OrderedDict())


class StatePickler(pickle.Pickler):
    def persistent_id(self, value: object) -> tuple | None:
        if not isinstance(value, Storage):
            return None
        kind = FloatStorage if value.array.dtype == np.float32 else LongStorage
        return "storage", kind, value.key, "cpu", value.array.size, None


def dump(value: object) -> bytes:
    buffer = io.BytesIO()
    StatePickler(buffer, 2).dump(value)
    return buffer.getvalue()


def write_state(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write `arrays`, float32 or int64, as a state dict."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for kind in (FloatStorage, LongStorage):
        kind.__module__ = "torch"
        setattr(torch, kind.__name__, kind)
    _rebuild_tensor_v2.__module__, utils._rebuild_tensor_v2 = "torch._utils", _rebuild_tensor_v2
    tensors = OrderedDict((name, Tensor(str(number), array)) for number, (name, array) in enumerate(arrays.items()))
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": utils}):
        parts = [dump(value) for value in (MAGIC, PROTOCOL, {"little_endian": True}, tensors)]
    parts.append(dump([tensor.storage.key for tensor in tensors.values()]))
    for tensor in tensors.values():
        parts += [np.int64(tensor.storage.array.size).tobytes(), tensor.storage.array.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def write_package(folder: Path, name: str, content: bytes) -> Path:
    """Write an installed package `name` with one weights file, named by its SHA-256; give the file."""
    module, about = folder / name.replace("-", "_"), folder / f"{name.replace('-', '_')}-0.1.0.dist-info"
    file = module / f"weights-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    for path, text in (
        (about / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n".encode()),
        (about / "RECORD", f"{file.relative_to(folder)},,\n".encode()),
        (file, content),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return file
