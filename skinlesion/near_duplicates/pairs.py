"""Near-identical images: the same picture rescaled, mirrored or compressed again, or the same skin photographed twice.

Small grey pictures of the images, compared in the eight ways to turn and mirror one of them, give each image its most
similar others. An approximate search (FLANN's k-d trees) finds these, so time grows nearly as the number of images. A
pair of these is near-identical if enough of their ORB features (Rublee et al., ICCV 2011) match under one rotation,
scaling and shift. An image with too few features, as a smooth one, has no pair; of HAM10000's none is so. Known pairs,
false pairs and other methods that were measured: see docs/data.md.
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from skinlesion.core import arrays, images
from skinlesion.core.parallel import map_parallel

COLUMNS = ["image_id_1", "image_id_2", "distance"]
SIDE = 128  # px, of the squares whose features are compared
THUMBNAIL = 16  # px, of the small pictures
FEATURES = 150  # of an image, at most
CANDIDATES = 10  # of each image
LINEAR, KD_TREE = 0, 1  # FLANN's numbers of the methods
TREES, CHECKS = 4, 256  # k-d trees, and images that a search in them looks at
FEW = 1000  # images that are all compared: in small trees FLANN may find less than it should
DISTANCE = 0.89  # the largest of a pair: 17 of 150 features match
TOLERANCE = 3  # px, between a feature and where the other image has it
MOST_ZOOM = 2  # between two images
TRIALS = 200  # of RANSAC

# The strongest features of an image: their number, points in px of the square, and descriptors.
FEATURE_SET = np.dtype([("number", "i4"), ("points", "f4", (FEATURES, 2)), ("descriptors", "u1", (FEATURES, 32))])
# What is compared of an image: a thumbnail (mean 0, norm 1; zeros for an image of one colour), and the features of the
# image as it is and mirrored.
FINGERPRINT = np.dtype([("thumbnail", "f4", (THUMBNAIL, THUMBNAIL)), ("features", FEATURE_SET, (2,))])

SIMILAR = np.dtype([("j", "i4"), ("distance", "f4"), ("mirrored", "?")])  # an image, and whether it has to be mirrored


def fingerprints(files: Sequence[Path]) -> np.ndarray:
    """Read picture files, of any size and shape; return their fingerprints, FINGERPRINT (N,), 13 kB each.

    Raises:
        BadImage: a file is not a picture.
        OSError: as `arrays.allocate`.
    """
    prints = arrays.allocate((len(files),), FINGERPRINT)

    def read(index: int) -> None:
        prints[index] = fingerprint(images.read(files[index]))
        arrays.release(prints[index : index + 1])

    map_parallel(read, range(len(files)), "fingerprints", needs_threads=True)
    return prints


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Return the fingerprint of RGB uint8 (H, W, 3): FINGERPRINT ()."""
    grey = cv2.cvtColor(images.fit(image, SIDE, "stretch"), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    views = np.stack([find_features(view) for view in (grey, cv2.flip(grey, 1))])
    return np.array((small / max(np.linalg.norm(small), 1e-6), views), FINGERPRINT)


def find_features(grey: np.ndarray) -> np.ndarray:
    """Return the strongest ORB features, small ones too, as skin has few corners: FEATURE_SET ()."""
    orb = cv2.ORB_create(FEATURES, nlevels=6, edgeThreshold=7, patchSize=15, fastThreshold=4)
    points, descriptors = orb.detectAndCompute(grey, None)
    features = np.zeros((), FEATURE_SET)
    number = features["number"] = min(len(points), FEATURES)  # equally strong ones may exceed it
    if number:
        features["points"][:number] = [point.pt for point in points[:number]]
        features["descriptors"][:number] = descriptors[:number]
    return features


def list_pairs(
    folder: Path, image_ids: Sequence[str], folder_2: Path | None = None, image_ids_2: Sequence[str] = ()
) -> pd.DataFrame:
    """List the near-identical pairs of the images `folder`/<image_id>.png, or of these and those of `folder_2`.

    Returns:
        image_id_1, image_id_2 and distance, closest first.
    """
    if not len(image_ids) or (folder_2 and not len(image_ids_2)):
        return pd.DataFrame(columns=COLUMNS)  # fingerprints of the other set take long
    first = fingerprints([folder / f"{image_id}.png" for image_id in image_ids])
    second = fingerprints([folder_2 / f"{image_id}.png" for image_id in image_ids_2]) if folder_2 else None
    near = near_pairs(first, second)
    ids = (np.array(names, object) for names in (image_ids, image_ids_2 if folder_2 else image_ids))
    columns = [names[near[index]] for names, index in zip(ids, ("i", "j"), strict=True)]
    return pd.DataFrame(dict(zip(COLUMNS, (*columns, near["distance"]), strict=True)))


def near_pairs(first: np.ndarray, second: np.ndarray | None = None) -> pd.DataFrame:
    """Find the near-identical pairs between two sets of fingerprints, or within the first, each once (i < j).

    Returns:
        i and j, the indices in `first` and in the other set, and the distance of each pair, closest first: 1 minus the
        share of FEATURES that match, at most DISTANCE.
    """
    other = first if second is None else second
    candidates = find_candidates(first, second)

    def compare(pairs_of_image: np.ndarray) -> list[float]:
        distances = []
        for i, j, mirrored in pairs_of_image:
            matches = count_matches(first["features"][i, 0], other["features"][j, mirrored])
            arrays.release(other[j : j + 1])
            distances.append(1 - matches / FEATURES)
        arrays.release(first[i : i + 1])
        return distances

    starts = np.flatnonzero(np.diff(candidates["i"])) + 1
    rows = np.split(candidates.to_numpy(int), starts) if len(candidates) else []
    distances = map_parallel(compare, rows, "comparing", needs_threads=True)
    candidates["distance"] = np.array([*chain.from_iterable(distances)], float)
    near = candidates[candidates["distance"] <= DISTANCE]
    return near.sort_values(["distance", "i", "j"])[["i", "j", "distance"]]


def find_candidates(first: np.ndarray, second: np.ndarray | None) -> pd.DataFrame:
    """Pair each image of either set with its most similar ones of the other, or of the first set within itself.

    Returns:
        i, j and mirrored, whether one has to be; sorted by i and j, within one set i < j.
    """
    own = thumbnails(first)
    if second is None:
        pairs = search(own, own)
        pairs = pairs[pairs["i"] != pairs["j"]]
        pairs["i"], pairs["j"] = pairs[["i", "j"]].min(axis=1), pairs[["i", "j"]].max(axis=1)
    else:
        others = thumbnails(second)
        pairs = pd.concat([search(own, others), search(others, own).rename(columns={"i": "j", "j": "i"})])
    pairs = pairs.sort_values(["i", "j", "distance", "mirrored"]).drop_duplicates(["i", "j"])
    return pairs[["i", "j", "mirrored"]]


def thumbnails(prints: np.ndarray) -> np.ndarray:
    """Return the thumbnails of fingerprints (N,) in memory, float32 (N, THUMBNAIL, THUMBNAIL)."""
    parts = [part["thumbnail"].copy() for part in arrays.iterate_parts(prints)]
    return np.concatenate([*parts, np.empty((0, THUMBNAIL, THUMBNAIL), np.float32)])


def search(small: np.ndarray, others: np.ndarray) -> pd.DataFrame:
    """Find the most similar of `others` (M, THUMBNAIL, THUMBNAIL) for each of `small` (N, ...).

    Returns:
        i, j, distance and mirrored: CANDIDATES of each, and one more, since an image may find itself.
    """
    number, similar = min(CANDIDATES + 1, len(others)), []
    if number:
        cv2.setRNGSeed(0)  # FLANN draws where it divides
        method = {"algorithm": LINEAR} if len(others) <= FEW else {"algorithm": KD_TREE, "trees": TREES}
        index = cv2.flann.Index(others.reshape(len(others), -1), method)
        find = partial(find_similar, index=index, number=number)
        similar = map_parallel(find, small, "similar images", needs_threads=True)
    rows = np.concatenate([np.empty(0, SIMILAR), *similar])
    return pd.DataFrame(rows).assign(i=np.arange(len(small)).repeat(number))


def find_similar(thumbnail: np.ndarray, index: cv2.flann.Index, number: int) -> np.ndarray:
    """Find the `number` images of an index that are most like a thumbnail, in any of its views: SIMILAR (number,)."""
    views = [np.rot90(side, turns) for side in (thumbnail, thumbnail[:, ::-1]) for turns in range(4)]
    j, distances = index.knnSearch(np.reshape(views, (8, -1)), number, params={"checks": CHECKS})
    order = np.argsort(distances, axis=None, kind="stable")
    _, first = np.unique(j.flat[order], return_index=True)  # several views may find an image
    order = order[np.sort(first)[:number]]
    similar = np.empty(number, SIMILAR)
    similar["j"], similar["distance"], similar["mirrored"] = j.flat[order], distances.flat[order], order >= 4 * number
    return similar


def count_matches(first: np.ndarray, second: np.ndarray) -> int:
    """Count the features of two images, FEATURE_SET (), that match under one rotation, scaling and shift (RANSAC)."""
    fewest = (1 - DISTANCE) * FEATURES  # of a near duplicate
    if min(first["number"], second["number"]) < fewest:  # a plain picture has none
        return 0
    here, there = (features["descriptors"][: features["number"]] for features in (first, second))
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(here, there)
    if len(matches) < fewest:
        return 0
    here = first["points"][[match.queryIdx for match in matches]]
    there = second["points"][[match.trainIdx for match in matches]]
    move, agrees = cv2.estimateAffinePartial2D(
        here, there, ransacReprojThreshold=TOLERANCE, maxIters=TRIALS, refineIters=0
    )
    if move is None or not 1 / MOST_ZOOM <= np.hypot(*move[:, 0]) <= MOST_ZOOM:  # all on one spot would agree
        return 0
    return int(agrees.sum())
