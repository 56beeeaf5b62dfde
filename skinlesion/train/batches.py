"""Batches from one array of images, in an order that depends only on the seed and the epoch."""

import math
from collections.abc import Callable

import numpy as np

from skinlesion.core import arrays
from skinlesion.core.ham10000 import CODES
from skinlesion.model.backend import keras
from skinlesion.train.machine.distribution import SINGLE_DEVICE, Distribution


def draw_balanced(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw as many images as there are, each class equally often: numbers of `labels` (N,), in random order.

    An image is drawn again only when all others of its class have been drawn as often.
    """
    drawn = []
    for share, label in zip(np.array_split(labels, len(np.unique(labels))), np.unique(labels), strict=True):
        rows = np.flatnonzero(labels == label)
        rounds = [random.permutation(rows) for _ in range(math.ceil(len(share) / len(rows)))]
        drawn.append(np.concatenate(rounds)[: len(share)])
    return random.permutation(np.concatenate(drawn))


# train.sampling -> the images of an epoch, as numbers of labels (N,), in their order
SAMPLINGS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "shuffle": lambda labels, random: random.permutation(len(labels)),
    "balanced": draw_balanced,
}
# train.mix -> layer, as strong as in the papers for ImageNet: Zhang et al. (ICLR 2018), Yun et al. (ICCV 2019)
MIXES: dict[str, Callable[[int], keras.Layer]] = {
    "mixup": lambda seed: keras.layers.MixUp(alpha=0.2, seed=seed, dtype="float32"),
    "cutmix": lambda seed: keras.layers.CutMix(factor=1.0, seed=seed, dtype="float32"),
}


class Batches(keras.utils.PyDataset):
    """Batches of images uint8 (B, H, W, 3) and labels (B,); with `mix`, float32 images and labels (B, 7).

    Args:
        images, labels: of training, (N, H, W, 3) or features (N, ...), and (N,) as numbers of CODES.
        sampling: a row of SAMPLINGS.
        mix: a row of MIXES, or None. Mixes pairs of images of a batch, and their labels.
        distribution: several devices share a batch equally; one that they cannot share is repeated as a whole. Of
            several processes, each gets its share. Batches of several devices have weights (B,) too.
        class_weight: weight by number of CODES, for several devices; on one device Keras multiplies them itself.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        seed: int,
        sampling: str = "shuffle",
        mix: str | None = None,
        distribution: Distribution = SINGLE_DEVICE,
        class_weight: dict[int, float] | None = None,
    ):
        super().__init__()
        self.images, self.labels, self.batch_size, self.seed = images, labels, batch_size, seed
        self.sampling, self.mix, self.distribution = sampling, mix, distribution
        self.class_weight = np.array([(class_weight or {}).get(label, 1) for label in range(len(CODES))], "float32")
        self.start(0)

    def start(self, epoch: int, logs: dict | None = None) -> None:
        """Draw the images of an epoch, counted from 0. It has the signature of Keras' on_epoch_begin."""
        self.epoch = epoch
        self.order = SAMPLINGS[self.sampling](self.labels, np.random.default_rng([self.seed, epoch]))

    def __len__(self) -> int:
        return math.ceil(len(self.images) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows, shard = self.rows(index), self.distribution.shard
        if self.mix:  # the whole batch, since pairs are of all of it
            images, labels = (shard(array) for array in self.mixed(*self.read(rows), index))
        else:
            images, labels = self.read(shard(rows))
        if not self.distribution.is_shared:
            return images, labels
        return images, labels, self.class_weight[labels if labels.ndim == 1 else labels.argmax(axis=1)]

    def read_replicated(self, index: int):
        """The images of a batch as all processes have it, as an input of `model(images)`."""
        images, labels = self.read(self.rows(index))
        return self.distribution.replicate(self.mixed(images, labels, index)[0] if self.mix else images)

    def rows(self, index: int) -> np.ndarray:
        """The numbers of a batch's images, in an order that reads them fast."""
        return np.sort(self.order[index * self.batch_size : (index + 1) * self.batch_size])

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self.images[rows], self.labels[rows]
        arrays.release(self.images)
        return images, labels

    def mixed(self, images: np.ndarray, labels: np.ndarray, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Mix a batch; what is drawn depends only on the seed, the epoch and the number of the batch."""
        seed = int(np.random.default_rng([self.seed, self.epoch, index]).integers(2**31))
        batch = {"images": images.astype("float32"), "labels": np.eye(len(CODES), dtype="float32")[labels]}
        mixed = MIXES[self.mix](seed)(batch, training=True)
        return tuple(keras.ops.convert_to_numpy(mixed[name]) for name in ("images", "labels"))
