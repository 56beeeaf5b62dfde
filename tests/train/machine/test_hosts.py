"""Several hosts train under JAX alone; else an error names the remedy."""

import keras
import pytest

from skinlesion.runtime import processes
from skinlesion.runtime.errors import UserError
from skinlesion.train.machine import hosts


@pytest.mark.parametrize(
    ("variable", "backend"), [("TF_CONFIG", "tensorflow"), (processes.COUNT, "tensorflow"), (processes.COUNT, "torch")]
)
def test_several_hosts_under_another_backend_are_refused_and_jax_is_named(variable, backend, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setenv(variable, "2")
    with pytest.raises(UserError, match=rf"{variable}.*KERAS_BACKEND=jax"):
        hosts.join()
