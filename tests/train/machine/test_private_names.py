"""The private names of Keras and TensorFlow exist in the pinned versions and do what the code expects of them."""

import os
import re
import subprocess
import sys

import keras
import pytest

from skinlesion.train.machine.private_names import all_layers
from tests.helpers.chain import ROOT

NAMES = {"_flatten_layers", "gen_math_ops"}


def test_flatten_layers_reaches_into_custom_layers():
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm = keras.layers.BatchNormalization()

    model = keras.Sequential([keras.Input((3,)), Block()])
    names = [type(layer).__name__ for layer in all_layers(model)]
    assert {"Sequential", "Block", "BatchNormalization"} <= set(names)


# Each sum has three terms. TensorFlow may write it over the first one, or, if two are still needed, only the last.
SUMS = """
from skinlesion.train.machine import backends
import tensorflow as tf

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

def compare():
    for total in (gradients, chain):
        first, second = (tf.function(total)(needed)[0] for needed in (0, 2))
        print(bool(tf.reduce_all(first == second)))

compare()
backends.current.enable_determinism()
compare()
"""


@pytest.mark.chain
def test_gen_math_ops_adds_gradients_with_the_same_rounding_whatever_buffer_is_free():
    """In its own process, because determinism stays enabled until the process ends."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", SUMS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    before, after = done.stdout.split()[:2], done.stdout.split()[2:]
    assert "False" in before, "rounding depends on the free buffer"
    assert after == ["True", "True"]


@pytest.mark.parametrize("room", ["train", "model", "explain"])
def test_these_are_all_private_names_in_use(room):
    """A private name elsewhere could change with any version of Keras, and no test would name it. Text is no use."""
    for file in (ROOT / "skinlesion" / room).rglob("*.py"):
        names = re.findall(
            r"(?<!\")\b(?!self)\w+\.(_[a-z]\w+)|(?:keras\.src|tensorflow\.python)[.\w]* import (\w+)", file.read_text()
        )
        assert {name for pair in names for name in pair if name} == (
            NAMES if file.name == "private_names.py" else set()
        )
