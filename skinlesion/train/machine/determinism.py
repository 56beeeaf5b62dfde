"""Repeatable operations. Call `enable` before the Keras backend computes or looks for devices."""

from skinlesion.train.machine import backends

enable = backends.current.enable_determinism
