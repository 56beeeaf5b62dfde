"""Batches from one array of images, in an order that depends only on the seed and the epoch."""

import math

import numpy as np

from skinlesion.model import arrays
from skinlesion.model.backend import keras


class Batches(keras.utils.PyDataset):
    """Shuffled batches of images uint8 (B, H, W, 3) and labels (B,). Each epoch has each image once."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, batch_size: int, seed: int):
        super().__init__()
        self.images, self.labels, self.batch_size, self.seed = images, labels, batch_size, seed
        self.start(0)

    def start(self, epoch: int, logs: dict | None = None) -> None:
        """Shuffle the images for an epoch, counted from 0. It has the signature of Keras' on_epoch_begin."""
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.sort(self.order[index * self.batch_size : (index + 1) * self.batch_size])
        batch = self.images[rows], self.labels[rows]
        arrays.release(self.images)
        return batch
