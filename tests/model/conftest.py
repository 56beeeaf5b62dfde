"""`build` sets the dtype policy of the process."""

from collections.abc import Iterator

import keras
import pytest


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    """No test hands its own to the next."""
    yield
    keras.config.set_dtype_policy("float32")
