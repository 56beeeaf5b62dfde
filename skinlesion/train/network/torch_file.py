"""Reads a state dict that PyTorch saved before version 1.6, without PyTorch and without running code from the file.

The file is three pickles (magic number, protocol version, type sizes), the state dict, the keys of its storages, and
the storages: each a count (int64), then the numbers, little-endian.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from skinlesion.runtime.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class Storage:
    """Numbers that tensors view; they are read after the state dict."""

    def __init__(self, dtype: np.dtype, count: int):
        self.dtype, self.count, self.numbers = dtype, count, np.empty(0, dtype)


class Tensor:
    """A view of a storage, as PyTorch's `_rebuild_tensor_v2` receives it."""

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def to_array(self) -> np.ndarray:
        """Raises ValueError if the view leaves its storage."""
        numbers, size = self.storage.numbers, self.storage.dtype.itemsize
        return np.ndarray(
            self.shape, numbers.dtype, numbers, self.offset * size, [size * step for step in self.strides]
        )


class StateUnpickler(pickle.Unpickler):
    """An unpickler that admits what a state dict is made of, and refuses every other name."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        allowed = {("collections", "OrderedDict"): OrderedDict, ("torch._utils", "_rebuild_tensor_v2"): Tensor}
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no state dict needs")
        return allowed[module, name]

    def persistent_load(self, reference: tuple) -> Storage:
        _, dtype, key, _, count, _ = reference
        return self.storages.setdefault(key, Storage(dtype, count))


def read_state(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a state dict by name, in their order.

    Raises:
        UserError: the file is damaged, is something else, or would run code.
    """
    try:
        with path.open("rb") as file:
            header = [StateUnpickler(file).load() for _ in range(3)]
            if header[:2] != [MAGIC, PROTOCOL]:
                raise ValueError("it is not in PyTorch's format of before version 1.6")
            unpickler = StateUnpickler(file)
            state = unpickler.load()
            keys, numbers = StateUnpickler(file).load(), file.read()
        position = 0
        for key in keys:
            storage = unpickler.storages[key]
            start = position + np.dtype("<i8").itemsize  # behind the count, which the state dict gives too
            storage.numbers = np.frombuffer(numbers, storage.dtype, storage.count, start)
            position = start + storage.numbers.nbytes
        return {name: tensor.to_array() for name, tensor in state.items()}
    except Exception as error:  # a pickle that is something else fails in many ways
        raise UserError(f"{path} is not a state dict of PyTorch ({error}). Install its package again") from None
