"""Near-identical images: the same picture rescaled, mirrored or compressed again, or the same skin photographed twice.

Small grey pictures of the images, compared in the eight ways to turn and mirror one of them, give each image its most
similar others. A pair of these is near-identical if enough of their ORB features (Rublee et al., ICCV 2011) match under
one rotation, scaling and shift. An image with too few features, as a smooth one, has no pair; of
HAM10000's none is so. Known pairs, false pairs and other methods that were measured: see README.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from skinlesion.core import images
from skinlesion.core.parallel import map_parallel

COLUMNS = ["image_id_1", "image_id_2", "distance"]
SIDE = 128  # px, of the squares whose features are compared
THUMBNAIL = 16  # px, of the small pictures
FEATURES = 150  # of an image, at most
CANDIDATES = 10  # of each image
DISTANCE = 0.89  # the largest of a pair: 17 of 150 features match
TOLERANCE = 3  # px, between a feature and where the other image has it
BLOCK = 512  # images compared at a time, so that memory grows with their number, not with its square
MOST_ZOOM = 2  # between two images
TRIALS = 200  # of RANSAC


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of an image; points in px of the square and descriptors are as it is, and mirrored."""

    thumbnail: np.ndarray  # float32 (THUMBNAIL, THUMBNAIL), mean 0, norm 1, or zeros for an image of one colour
    points: tuple[np.ndarray, np.ndarray]  # float32 (n, 2)
    descriptors: tuple[np.ndarray, np.ndarray]  # uint8 (n, 32)


def fingerprints(files: list[Path]) -> list[Fingerprint]:
    """Read picture files, of any size and shape; return their fingerprints (13 kB each).

    Raises:
        BadImage: a file is not a picture.
    """
    return map_parallel(lambda file: fingerprint(images.read(file)), files, "fingerprints")


def fingerprint(image: np.ndarray) -> Fingerprint:
    """Return the fingerprint of RGB uint8 (H, W, 3)."""
    grey = cv2.cvtColor(images.fit(image, SIDE, "stretch"), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    points, descriptors = zip(*(find_features(view) for view in (grey, cv2.flip(grey, 1))), strict=True)
    return Fingerprint(small / max(np.linalg.norm(small), 1e-6), points, descriptors)


def find_features(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points and descriptors of the strongest ORB features, small ones too, as skin has few corners."""
    orb = cv2.ORB_create(FEATURES, nlevels=6, edgeThreshold=7, patchSize=15, fastThreshold=4)
    points, descriptors = orb.detectAndCompute(grey, None)
    if descriptors is None:
        return np.empty((0, 2), np.float32), np.empty((0, 32), np.uint8)
    return np.array([point.pt for point in points], np.float32), descriptors


def list_pairs(
    folder: Path, image_ids: Sequence[str], folder_2: Path | None = None, image_ids_2: Sequence[str] = ()
) -> pd.DataFrame:
    """List the near-identical pairs of the images `folder`/<image_id>.png, or of these and those of `folder_2`.

    Returns:
        image_id_1, image_id_2 and distance, closest first.
    """
    first = fingerprints([folder / f"{image_id}.png" for image_id in image_ids])
    second = fingerprints([folder_2 / f"{image_id}.png" for image_id in image_ids_2]) if folder_2 else None
    i, j, distances = near_pairs(first, second)
    ids = (np.array(names, object) for names in (image_ids, image_ids_2 if folder_2 else image_ids))
    columns = [names[index] for names, index in zip(ids, (i, j), strict=True)]
    return pd.DataFrame(dict(zip(COLUMNS, (*columns, distances), strict=True)))


def near_pairs(
    first: list[Fingerprint], second: list[Fingerprint] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the near-identical pairs between two sets, or within the first, each once (i < j).

    Returns:
        the index in `first`, the index in the other set, and the distance of each pair, closest first: 1 minus the
        share of FEATURES that match, at most DISTANCE.
    """
    other = first if second is None else second
    candidates = find_candidates(first, other)
    if second is None:
        candidates = {(min(pair), max(pair)): mirrored for pair, mirrored in candidates.items() if len({*pair}) == 2}
    else:
        candidates |= {(i, j): mirrored for (j, i), mirrored in find_candidates(second, first).items()}

    def measure(pair: tuple[int, int]) -> tuple[float, int, int]:
        i, j = pair
        return 1 - count_matches(first[i], other[j], candidates[pair]) / FEATURES, i, j

    measured = map_parallel(measure, sorted(candidates), "comparing", needs_threads=True)
    near = sorted(row for row in measured if row[0] <= DISTANCE)
    distances, i, j = np.array(near).reshape(-1, 3).T
    return i.astype(int), j.astype(int), distances


def find_candidates(first: list[Fingerprint], second: list[Fingerprint]) -> dict[tuple[int, int], bool]:
    """Pair each image of `first` with the most similar ones of `second`: indices -> whether one has to be mirrored."""
    if not first or not second:
        return {}
    own, others = (np.stack([image.thumbnail for image in side]) for side in (first, second))
    number, candidates = min(CANDIDATES + (first is second), len(others)), {}
    for start in range(0, len(own), BLOCK):
        rows = own[start : start + BLOCK].reshape(-1, THUMBNAIL**2)
        plain, mirrored = (best_turn(rows, view) for view in (others, others[:, :, ::-1]))
        similar = np.argpartition(-np.maximum(plain, mirrored), number - 1)[:, :number]
        for row, column in np.ndindex(similar.shape):
            other = similar[row, column]
            candidates[start + row, int(other)] = bool(mirrored[row, other] > plain[row, other])
    return candidates


def best_turn(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the correlations (rows, others) of thumbnails, the best of the four turns."""
    turned = (np.rot90(others, turns, (1, 2)).reshape(len(others), -1) for turns in range(4))
    return np.max([rows @ view.T for view in turned], axis=0)


def count_matches(first: Fingerprint, second: Fingerprint, mirrored: bool) -> int:
    """Count the features of two images that match under one rotation, scaling and shift (RANSAC)."""
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first.descriptors[0], second.descriptors[mirrored])
    if len(matches) < (1 - DISTANCE) * FEATURES:
        return 0
    here = first.points[0][[match.queryIdx for match in matches]]
    there = second.points[mirrored][[match.trainIdx for match in matches]]
    move, agrees = cv2.estimateAffinePartial2D(
        here, there, ransacReprojThreshold=TOLERANCE, maxIters=TRIALS, refineIters=0
    )
    if move is None or not 1 / MOST_ZOOM <= np.hypot(*move[:, 0]) <= MOST_ZOOM:  # all on one spot would agree
        return 0
    return int(agrees.sum())
