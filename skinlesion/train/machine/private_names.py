"""Everything that needs a private name of Keras or TensorFlow. A test tries each name against the pinned versions."""

import functools
from collections.abc import Iterator

from skinlesion.model.backend import keras


def all_layers(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layer and every layer inside it. The public `layers` leaves out what a custom layer is made of."""
    yield from layer._flatten_layers()


def add_gradients_in_pairs() -> None:
    """Let TensorFlow's gradient tape add gradients two at a time, in their order.

    AddN of three or more inputs reuses the buffer of one. Which one depends on thread timing, so rounding varies.
    """
    import tensorflow as tf
    from tensorflow.python.ops import gen_math_ops

    add_n = gen_math_ops.add_n

    def add_in_order(inputs: list[tf.Tensor], name: str | None = None) -> tf.Tensor:
        if len(inputs) < 3:
            return add_n(inputs, name)
        return functools.reduce(lambda total, term: add_n([total, term]), inputs)

    gen_math_ops.add_n = add_in_order
