"""In a process of its own, since determinism holds for the rest of a process."""

import os
import subprocess
import sys

import keras
import pytest

pytestmark = pytest.mark.chain
needs_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of TensorFlow alone")

# What a sum of three may take over the memory of: with two of them still needed it could only be the last.
SUMS = """
from skinlesion.model import backend
from skinlesion.train.machine import determinism

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


def equal():
    for total in (gradients, chain):
        first, second = (tf.function(total)(needed)[0] for needed in (0, 2))
        print(bool(tf.reduce_all(first == second)))


equal()
determinism.enable()
equal()
"""


@needs_tensorflow
def test_sums_round_alike_whatever_memory_is_free_once_it_is_enabled() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-c", SUMS]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert "False" in said[:2], "before, the rounding depends on which memory is free"
    assert said[2:] == ["True", "True"]
