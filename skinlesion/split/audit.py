"""Audit: in which splits the near-identical originals of different groups are."""

from itertools import combinations

import pandas as pd

from skinlesion.split.assign import SPLITS

COLUMNS = ["image_id_1", "image_id_2", "group_1", "group_2", "split_1", "split_2", "distance"]


def list_near_duplicates(pairs: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Join data/near_pairs.csv with groups and splits, from the `table` of `assign`; return COLUMNS."""
    originals = table[~table["augmented"]].set_index("image_id")
    sides = [originals[["group", "split"]].loc[pairs[f"image_id_{side}"]].add_suffix(f"_{side}") for side in (1, 2)]
    return pd.concat([pairs, *(side.reset_index(drop=True) for side in sides)], axis=1)[COLUMNS]


def count(pairs: pd.DataFrame) -> dict[str, int]:
    """Count the pairs in all, and those between two splits, as `train_test`."""
    splits = [set(pair) for pair in zip(pairs["split_1"], pairs["split_2"], strict=True)]
    between = {f"{one}_{other}": splits.count({one, other}) for one, other in combinations(SPLITS, 2)}
    return {"pairs": len(pairs), **between}
