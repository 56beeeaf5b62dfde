"""Each test starts a process of its own, since determinism holds for the rest of a process."""

import os
import subprocess
import sys

import keras
import pytest

needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow alone")

# What a sum of three may take over the memory of: with two of them still needed it could only be the last.
SUMS = """
import sys

from skinlesion import backend
from skinlesion.training import determinism

if "enable" in sys.argv:
    determinism.enable()
import tensorflow as tf

tf.config.set_visible_devices([], "GPU")
x = tf.random.stateless_normal([10000], [1, 2])


def gradients(needed):
    parts = []

    @tf.custom_gradient
    def use(x, factor):
        def gradient(of_sum):
            parts.append(of_sum * tf.sin(x * factor))
            return parts[-1], tf.zeros([])

        return tf.reduce_sum(x), gradient

    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = use(x, 1.0) * use(x, 2.0) * use(x, 3.0)
    return tape.gradient(loss, x), parts[:needed]


def chain(needed):
    parts = [tf.sin(x * factor) for factor in (1.0, 2.0, 3.0)]
    return parts[0] + parts[1] + parts[2], parts[:needed]


for total in (gradients, chain):
    first, second = (tf.function(total)(needed)[0] for needed in (0, 2))
    print(bool(tf.reduce_all(first == second)))
"""


def sums(*words: str) -> list[str]:
    command = [sys.executable, "-c", SUMS, *words]
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@needs_tensorflow
def test_sums_round_alike_whatever_memory_is_free() -> None:
    assert sums("enable") == ["True", "True"]


@needs_tensorflow
def test_without_determinism_the_rounding_hangs_on_free_memory() -> None:
    assert "False" in sums()
