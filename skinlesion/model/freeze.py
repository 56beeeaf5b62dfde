"""What of the backbone trains in a phase."""

from collections.abc import Iterator

import keras

from skinlesion.params import Phase


def apply(backbone: keras.Model, phase: Phase, phases: list[Phase]) -> None:
    """Set which layers of the backbone train in `phase`, one of `phases`. The model must be compiled afterwards.

    Where any phase freezes a part, BatchNormalization stays in inference mode in every phase: its moving statistics
    belong to the weights that were frozen (keras.io/guides/transfer_learning).
    """
    first = {"all": 0, "head": len(backbone.layers)}.get(phase.train, phase.train)
    keeps_statistics = any(other.train != "all" for other in phases)
    backbone.trainable = True
    for number, layer in enumerate(backbone.layers):
        layer.trainable = number >= first
        for part in flatten(layer):
            if keeps_statistics and isinstance(part, keras.layers.BatchNormalization):
                part.trainable = False


def flatten(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layer and all that it is made of."""
    yield from layer._flatten_layers()
