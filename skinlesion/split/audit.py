"""Audit: pairs of near-identical originals that belong to different groups."""

from itertools import combinations
from pathlib import Path

import pandas as pd

from skinlesion.core.near_duplicates import fingerprints, near_pairs
from skinlesion.split.assign import SPLITS

COLUMNS = ["image_id_1", "image_id_2", "group_1", "group_2", "split_1", "split_2", "distance"]


def find_near_duplicates(table: pd.DataFrame) -> pd.DataFrame:
    """List the near-identical originals of different groups, with COLUMNS, closest first.

    Args:
        table: of `assign`, with the paths of the images.
    """
    originals = table[~table["augmented"]].sort_values("image_id")
    first, second, distances = near_pairs(fingerprints([Path(path) for path in originals["path"]]))
    sides = [originals.iloc[index].reset_index(drop=True).add_suffix(f"_{n}") for n, index in ((1, first), (2, second))]
    pairs = pd.concat([*sides, pd.Series(distances, name="distance")], axis=1)[COLUMNS]
    return pairs[pairs["group_1"] != pairs["group_2"]].reset_index(drop=True)


def count(pairs: pd.DataFrame) -> dict[str, int]:
    """Count the pairs in all, and those between two splits, as `train_test`."""
    splits = [set(pair) for pair in zip(pairs["split_1"], pairs["split_2"], strict=True)]
    between = {f"{one}_{other}": splits.count({one, other}) for one, other in combinations(SPLITS, 2)}
    return {"pairs": len(pairs), **between}
